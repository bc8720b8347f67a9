#include "report/rows_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hone::report {
namespace {

constexpr double kQuietS = 1.0, kRedrawEveryS = 0.1, kLineEveryS = 10.0;

}  // namespace

std::string format_rows(const RowsStatus& status, double seconds) {
  const double elapsed_s = std::max(seconds, 1e-3);
  const double bytes = static_cast<double>(status.bytes);
  std::string text = fmt::format("{} rows", status.rows);
  if (status.total_bytes > 0)
    text += fmt::format("  {:.0f} %", 100 * bytes / static_cast<double>(status.total_bytes));
  text += fmt::format("  {:.0f} rows/s  {:.1f} MB/s", static_cast<double>(status.rows) / elapsed_s,
                      bytes / 1e6 / elapsed_s);
  const double left = static_cast<double>(status.total_bytes - status.bytes);
  if (left > 0 && bytes > 0) text += "  " + format_duration(elapsed_s / bytes * left) + " left";
  return text;
}

RowsProgress::RowsProgress(Screen screen) : screen_(std::move(screen)) {
  begin_s_ = screen_.now_s();
  // The first line may come after kQuietS.
  shown_s_ = begin_s_ + kQuietS - (screen_.is_interactive ? kRedrawEveryS : kLineEveryS);
}

RowsProgress::~RowsProgress() {
  if (screen_.is_interactive) screen_.set_status("");
}

std::string RowsProgress::line() const {
  return "tokens  " + format_rows(last_, screen_.now_s() - begin_s_);
}

void RowsProgress::update(const RowsStatus& status) {
  last_ = status;
  const double now_s = screen_.now_s();
  if (now_s - shown_s_ < (screen_.is_interactive ? kRedrawEveryS : kLineEveryS)) return;
  shown_s_ = now_s;
  was_shown_ = true;
  if (!screen_.is_interactive) return screen_.write_line(line());
  // One column stays free: in the last one, some terminals wrap.
  screen_.set_status(line().substr(0, static_cast<std::size_t>(screen_.columns() - 1)));
}

void RowsProgress::finish() {
  if (screen_.is_interactive) screen_.set_status("");
  if (was_shown_) screen_.write_line(line());
}

}  // namespace hone::report
