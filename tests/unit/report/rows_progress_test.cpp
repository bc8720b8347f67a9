#include "report/rows_progress.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/support.h"

namespace hone::report {
namespace {

struct Recorder {
  double now_s = 100;
  std::vector<std::string> lines, redraws;

  Screen screen(bool is_interactive, int columns = 80) {
    return {.is_interactive = is_interactive,
            .unicode = false,
            .columns = [columns] { return columns; },
            .set_status = [this](std::string_view text) { redraws.emplace_back(text); },
            .write_line = [this](std::string_view text) { lines.emplace_back(text); },
            .now_s = [this] { return now_s; }};
  }
};

TEST(FormatRows, TellsRatesAndWhatIsLeft) {
  EXPECT_EQ(format_rows({.rows = 50000, .bytes = 20'000'000, .total_bytes = 80'000'000}, 2),
            "50000 rows  25 %  25000 rows/s  10.0 MB/s  6s left");
  EXPECT_EQ(format_rows({.rows = 10, .bytes = 500, .total_bytes = 500}, 1),
            "10 rows  100 %  10 rows/s  0.0 MB/s");
}

/// 10,000 rows and 1 MB a second, told of ten times a second.
void read_for(double seconds, Recorder& recorder, RowsProgress& progress) {
  const double begin_s = recorder.now_s;
  for (int i = 1; i <= seconds * 10; ++i) {
    recorder.now_s = begin_s + i / 10.0;
    progress.update({.rows = i * 1000, .bytes = i * 100'000, .total_bytes = 60'000'000});
  }
  progress.finish();
}

TEST(RowsProgress, SaysNothingOfWhatIsDoneAtOnce) {
  for (const bool is_interactive : {true, false}) {
    Recorder recorder;
    RowsProgress progress(recorder.screen(is_interactive));
    read_for(0.8, recorder, progress);
    EXPECT_TRUE(recorder.lines.empty());
    for (const std::string& redraw : recorder.redraws) EXPECT_EQ(redraw, "");
  }
}

TEST(RowsProgress, ElsewhereWritesALineEveryTenSecondsAndTheLast) {
  Recorder recorder;
  RowsProgress progress(recorder.screen(false));
  read_for(25, recorder, progress);
  ASSERT_EQ(recorder.lines.size(), 4u);
  EXPECT_TRUE(test::contains(recorder.lines[0], "10000 rows  2 %  10000 rows/s  1.0 MB/s"));
  EXPECT_TRUE(test::contains(recorder.lines[1], "110000 rows"));
  EXPECT_TRUE(test::contains(recorder.lines[1], "49s left"));
  EXPECT_TRUE(test::contains(recorder.lines[3], "250000 rows"));
  EXPECT_TRUE(recorder.redraws.empty());
}

TEST(RowsProgress, OnATerminalRedrawsWithinItsColumns) {
  Recorder recorder;
  RowsProgress progress(recorder.screen(true, 30));
  read_for(5, recorder, progress);
  EXPECT_GT(recorder.redraws.size(), 20u);
  for (const std::string& redraw : recorder.redraws) EXPECT_LT(redraw.size(), 30u);
  EXPECT_EQ(recorder.redraws.back(), "");
  ASSERT_EQ(recorder.lines.size(), 1u);
  EXPECT_TRUE(test::contains(recorder.lines[0], "50000 rows"));
}

}  // namespace
}  // namespace hone::report
