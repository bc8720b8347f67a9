#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <thread>

#include "base/file.h"
#include "distributed/rank_process.h"

// Ranks share out the rows of an evaluation and find what one finds.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Finished;
using test::TinyRun;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

struct Method {
  const char* name;
  const char* rows;
  Texts more;
};

const Method kMethods[] = {
    {"sft", "sft", {}},   {"dpo", "pref", {}},    {"kto", "kto", {}},
    {"orpo", "pref", {}}, {"reward", "pref", {}},
};

/// The lines of evaluations, by step.
std::map<std::int64_t, json> evaluations_in(const fs::path& run) {
  std::map<std::int64_t, json> found;
  for (const json& line : test::read_jsonl(run / "metrics.jsonl"))
    if (line.contains("eval_loss")) found[line["step"]] = line;
  return found;
}

class Evaluation : public testing::TestWithParam<std::tuple<Method, int>> {};

// The model before the first step is the same to the bit, so what is measured of it has to be.
TEST_P(Evaluation, OfRanksIsThatOfOne) {
  const auto& [method, ranks] = GetParam();
  const TinyRun run("{method: lora, r: 4}");
  const std::string rows = test::fixture(fmt::format("train/data/{}.jsonl", method.rows)).string();
  const auto overrides = [&](int world, const fs::path& output) {
    Texts all = {"--threads",
                 "1",
                 std::string("train.method=") + method.name,
                 "data.train=" + rows,
                 "data.eval=" + rows,
                 "eval.eval_on_start=true",
                 "eval.eval_steps=2",
                 "eval.tokens_per_device_batch=100",
                 "train.max_steps=2",
                 fmt::format("train.gradient_accumulation_steps={}", 4 / world),
                 "train.output_dir=" + output.string()};
    all.insert(all.end(), method.more.begin(), method.more.end());
    return all;
  };
  const fs::path alone = run.folder / "alone", shared = run.folder / "shared";
  const Finished first = test::run_hone(run.train(overrides(1, alone)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Finished finished = test::run_hone(test::launch(run, ranks, overrides(ranks, shared)));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto one = evaluations_in(alone), many = evaluations_in(shared);
  ASSERT_EQ(one.size(), 2u);
  ASSERT_EQ(many.size(), 2u);
  for (const auto& [key, value] : one.at(0).items())
    if (key.starts_with("eval_")) {
      EXPECT_EQ(many.at(0).at(key), value) << key << " at the start";
    }
  for (const auto& [key, value] : one.at(2).items())
    if (key.starts_with("eval_")) {
      EXPECT_NEAR(many.at(2).at(key).get<double>(), value.get<double>(),
                  1e-5 * std::max(1.0, std::abs(value.get<double>())))
          << key << " after two steps";
    }
}

std::string name_of(const testing::TestParamInfo<std::tuple<Method, int>>& one) {
  return fmt::format("{}On{}", std::get<0>(one.param).name, std::get<1>(one.param));
}

INSTANTIATE_TEST_SUITE_P(Two, Evaluation,
                         testing::Combine(testing::ValuesIn(kMethods), testing::Values(2)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(SlowFour, Evaluation,
                         testing::Combine(testing::ValuesIn(kMethods), testing::Values(4)),
                         name_of);

TEST(EvaluationOfRanks, AtTheStartIsLeftAtASignal) {
  const TinyRun run("{method: lora, r: 4}");
  std::string rows;
  const std::string some = read_file(test::fixture("train/data/sft.jsonl"));
  while (rows.size() < (4u << 20)) rows += some;
  const std::string eval = run.folder.write("eval.jsonl", rows).string();
  std::optional<Clock::time_point> sent;
  const Finished finished = test::run_hone_and_signal(
      test::launch(run, 2,
                   {"data.eval=" + eval, "eval.eval_on_start=true",
                    "eval.tokens_per_device_batch=100", "train.gradient_accumulation_steps=1"}),
      [&] {
        const auto process = test::process_of(run.output(), 1);
        if (!process || !fs::exists(run.output() / "metrics.jsonl")) return false;
        if (!sent) {
          std::this_thread::sleep_for(std::chrono::seconds(1));  // it is at it by then
          ::kill(*process, SIGTERM);
          sent = Clock::now();
        }
        return true;
      },
      /*signal, to the launcher: none*/ 0);
  ASSERT_TRUE(sent) << finished.err;
  EXPECT_EQ(finished.exit_code, 75) << finished.err;
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - *sent).count(), 10);
  EXPECT_TRUE(test::read_jsonl(run.output() / "metrics.jsonl").empty())
      << "it was in the evaluation before the first step";
}

}  // namespace
}  // namespace hone
