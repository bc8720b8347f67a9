#include "report/metrics_log.h"

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/philox.h"
#include "support/support.h"

namespace hone::report {
namespace {

TEST(MetricsLine, KeysStandInTheirOrderWhateverOrderTheyCameIn) {
  EXPECT_EQ(metrics_line(3, {{"kl", 0.5},
                             {"time_s", 2.0},
                             {"tokens", std::int64_t{4096}},
                             {"accuracy", 1.0},
                             {"learning_rate", 2e-4},
                             {"trained_tokens", std::int64_t{7}},
                             {"tokens_per_s", 2048.0},
                             {"grad_norm", 0.25},
                             {"loss", 1.5}}),
            R"({"step":3,"loss":1.5,"grad_norm":0.25,"learning_rate":0.0002,"tokens":4096,)"
            R"("trained_tokens":7,"tokens_per_s":2048.0,"time_s":2.0,"kl":0.5,"accuracy":1.0})");
}

TEST(MetricsLine, EveryDoubleReadsBackAsTheSameBits) {
  const Philox random(1);
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const auto words = random(i, 0);
    const auto value = std::bit_cast<double>(std::uint64_t{words.w[0]} << 32 | words.w[1]);
    if (!std::isfinite(value)) continue;
    const auto row = nlohmann::json::parse(metrics_line(1, {{"loss", value}}));
    ASSERT_EQ(std::bit_cast<std::uint64_t>(row.at("loss").get<double>()),
              std::bit_cast<std::uint64_t>(value));
  }
  EXPECT_EQ(metrics_line(1, {{"loss", 0.1}}), R"({"step":1,"loss":0.1})");
}

TEST(MetricsLine, NaNAndInfinitiesAreNullAndNamed) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(metrics_line(2, {{"loss", std::nan("")}, {"grad_norm", infinity}, {"kl", -infinity}}),
            R"({"step":2,"loss":null,"grad_norm":null,"kl":null,)"
            R"("non_finite":{"loss":"NaN","grad_norm":"Infinity","kl":"-Infinity"}})");
}

TEST(MetricsLine, AMetricGivenTwiceIsABug) {
  EXPECT_THROW(metrics_line(1, {{"loss", 1.0}, {"loss", 2.0}}), InternalError);
}

class MetricsLogOnDisk : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "metrics.jsonl"; }
  void write_steps(std::int64_t after, std::int64_t last) const {
    MetricsLog log(path(), after);
    for (std::int64_t step = after + 1; step <= last; ++step)
      log.append(step, {{"loss", 1.0 / static_cast<double>(step)}});
  }

  test::TempFolder folder_;
};

TEST_F(MetricsLogOnDisk, AResumedRunCutsWhatItRepeatsAndEndsWithTheSameFile) {
  write_steps(0, 9);
  const std::string alone = read_file(path());
  write_steps(4, 9);
  EXPECT_EQ(read_file(path()), alone);
}

TEST_F(MetricsLogOnDisk, AnEvaluationAtTheLastStepStays) {
  write_steps(0, 2);
  MetricsLog(path(), 2).append(2, {{"eval_loss", 0.5}});
  const std::string before = read_file(path());
  MetricsLog again(path(), 2);
  EXPECT_EQ(read_file(path()), before);
}

TEST_F(MetricsLogOnDisk, ALineTornAnywhereIsCut) {
  write_steps(0, 3);
  const std::string whole = read_file(path());
  const std::size_t two_lines = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t size = two_lines; size < whole.size(); ++size) {
    folder_.write("metrics.jsonl", whole.substr(0, size));
    EXPECT_EQ(bytes_through_step(path(), 3), two_lines) << size;
  }
  folder_.write("metrics.jsonl", whole.substr(0, two_lines) + std::string(40, '\0') + "\n");
  EXPECT_EQ(bytes_through_step(path(), 3), two_lines) << "zeros, as after a power cut";
  write_steps(2, 3);
  EXPECT_EQ(read_file(path()), whole);
}

TEST_F(MetricsLogOnDisk, ANewRunStartsAnEmptyFile) {
  write_steps(0, 3);
  write_steps(0, 1);
  EXPECT_EQ(read_file(path()), "{\"step\":1,\"loss\":1.0}\n");
}

TEST(MetricsLog, AFullDiskIsAnIoErrorThatSaysSo) {
  MetricsLog log("/dev/full", 0);
  const std::string message = test::message_of<IoError>([&] { log.append(1, {{"loss", 1.0}}); });
  EXPECT_TRUE(test::contains(message, "/dev/full"));
  EXPECT_TRUE(test::contains(message, "No space left on device"));
}

}  // namespace
}  // namespace hone::report
