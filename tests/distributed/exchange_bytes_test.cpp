#include <fmt/ranges.h>

#include <cmath>

#include "distributed/rank_process.h"

// What ranks really send, counted by the kernel, beside what hone plan says that they do. A network
// of its own (a namespace) has a loopback device that carries nothing else.

namespace hone {
namespace {

using nlohmann::json;
using test::Finished;
using test::TinyRun;

/// /proc/net, unlike /sys, is that of the network that a process is in.
constexpr const char* kSent = "awk '/lo:/ {print $10}' /proc/net/dev";

/// Runs a command in a network of its own. @return the bytes that it sent over loopback
double bytes_sent(const std::string& command) {
  const Finished finished =
      test::run_program({"unshare", "--net", "sh", "-c",
                         fmt::format("ip link set lo up && {} >/dev/null && {}", command, kSent)});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.exit_code == 0 ? std::stod(finished.out) : std::nan("");
}

bool has_namespaces() {
  return test::run_program({"unshare", "--net", "sh", "-c",
                            fmt::format("ip link set lo up && {} >/dev/null", kSent)})
             .exit_code == 0;
}

/// What each rank sends in a step: the difference of runs of more and of fewer steps, so that
/// meeting, checkpoints and farewells are not in it.
double measured_bytes(int ranks) {
  double sent[2];
  constexpr int kSteps[2] = {2, 12};
  for (const int i : {0, 1}) {
    const TinyRun run("{method: full}");
    std::vector<std::string> words = {test::hone_binary()};
    for (std::string& word : test::launch(run, ranks,
                                          {fmt::format("train.max_steps={}", kSteps[i]),
                                           "checkpoint.save_steps=0", "--threads", "1"}))
      words.push_back(std::move(word));
    sent[i] = bytes_sent(fmt::format("'{}'", fmt::join(words, "' '")));
  }
  return (sent[1] - sent[0]) / (kSteps[1] - kSteps[0]) / ranks;
}

class ExchangeBytes : public testing::TestWithParam<int> {};

TEST_P(ExchangeBytes, AreWhatThePlanSaysUnderDdp) {
  if (!has_namespaces()) GTEST_SKIP() << "this machine allows no network namespaces";
  const int ranks = GetParam();
  const TinyRun run("{method: full}");
  const json document =
      test::rows_of(test::run_hone({"plan", run.config, "--json", "--device-tflops", "1", "--scale",
                                    "--gpus", std::to_string(ranks)}))
          .front();
  const auto planned = document["predictions"][0]["sent_bytes"].get<double>();
  ASSERT_EQ(document["predictions"][0]["strategy"], "ddp");
  const double measured = measured_bytes(ranks);
  RecordProperty("planned_bytes", fmt::format("{:.0f}", planned));
  RecordProperty("measured_bytes", fmt::format("{:.0f}", measured));
  // Beside the gradients a step sends its loss, its signals' vote and TCP's headers: some
  // kilobytes.
  EXPECT_GE(measured, 0.99 * planned);
  EXPECT_LE(measured, 1.05 * planned + 20'000) << planned << " planned";
}

INSTANTIATE_TEST_SUITE_P(Ranks, ExchangeBytes, testing::Values(2, 4));

}  // namespace
}  // namespace hone
