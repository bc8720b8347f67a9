#include "trainers/trajectory.h"

// Whole runs of `hone train` with train.method: orpo.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run_hone;
using test::TinyRun;

std::vector<std::string> orpo(std::vector<std::string> more = {}) {
  std::vector<std::string> all = {"train.method=orpo",
                                  "data.train=" + test::fixture("train/data/pref.jsonl").string()};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

class OrpoTrajectory : public testing::TestWithParam<const char*> {};

// TRL's ORPOTrainer, 20 steps in fp32; its NLL runs over prompt and answer of a micro-batch.
TEST_P(OrpoTrajectory, IsTrlsStepByStep) {
  const fs::path fixture = test::fixture("train/orpo_lora");
  const TinyRun run(test::adapter_as(fixture));
  const test::Finished finished = run_hone(
      run.train(orpo({"orpo.nll_on=all", std::string("orpo.prefix_sharing=") + GetParam()})));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  test::expect_trajectory(run, fixture, {});
}

INSTANTIATE_TEST_SUITE_P(PrefixSharing, OrpoTrajectory, testing::Values("always", "never"),
                         [](const auto& one) { return std::string(one.param); });

// The NLL of completions is a mean over pairs, so that the cut does not matter.
TEST(Orpo, AccumulationAndSharingChangeNothing) {
  const std::vector<std::vector<std::string>> ways = {
      {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"},
      {"train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=4"},
      {"train.tokens_per_device_batch=1", "train.gradient_accumulation_steps=8"},
      {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1",
       "orpo.prefix_sharing=never"}};
  for (const char* loss : {"orpo", "sigmoid", "simpo"}) {
    const TinyRun first("{method: lora, r: 4}");
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const TinyRun other("{method: lora, r: 4}");
      const TinyRun& run = i == 0 ? first : other;
      std::vector<std::string> overrides = orpo(ways[i]);
      overrides.insert(overrides.end(),
                       {"train.max_steps=6", std::string("orpo.loss_type=") + loss});
      ASSERT_EQ(run_hone(run.train(overrides)).exit_code, 0);
      if (i == 0) continue;
      EXPECT_LT(test::relative_difference(test::product_of(run), test::product_of(first)), 1e-5)
          << loss << " " << i;
      const json got = test::read_jsonl(run.output() / "metrics.jsonl").back();
      const json want = test::read_jsonl(first.output() / "metrics.jsonl").back();
      for (const char* key : {"loss", "nll_loss", "rewards/margins", "logps/chosen"})
        EXPECT_NEAR(got[key].get<double>(), want[key], 1e-4 * std::abs(want[key].get<double>()))
            << key;
    }
  }
}

// Every loss moves the pairs apart; with the NLL the chosen answer becomes likelier too.
TEST(Orpo, EveryLossLearns) {
  for (const char* loss : {"orpo", "sigmoid", "hinge", "ipo", "simpo"}) {
    const TinyRun run("{method: lora, r: 8}");
    std::vector<std::string> overrides =
        orpo({"train.max_steps=60", std::string("orpo.loss_type=") + loss,
              "data.eval=" + test::fixture("train/data/pref.jsonl").string()});
    if (std::string(loss) == "simpo") overrides.push_back("orpo.alpha=0.1");
    ASSERT_EQ(run_hone(run.train(overrides)).exit_code, 0) << loss;
    const std::vector<json> metrics = test::read_jsonl(run.output() / "metrics.jsonl");
    const json& last = metrics.back();
    // 60 steps on 160 pairs, of which chance gets half right; two standard errors of that are 0.08.
    EXPECT_GT(last["eval_rewards/accuracies"], 0.6) << loss;
    EXPECT_GT(last["eval_rewards/margins"], 0) << loss;
    EXPECT_LT(last["eval_loss"], metrics.front()["loss"]) << loss;
  }
}

TEST(Orpo, RefusesKeysThatItsLossDoesNotRead) {
  const TinyRun run("{method: lora, r: 4}");
  const auto refused = [&](const std::vector<std::string>& overrides) {
    const test::Finished finished = run_hone(run.train(orpo(overrides)));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    return finished.err;
  };
  EXPECT_TRUE(test::contains(refused({"orpo.label_smoothing=0.1"}), "label_smoothing"));
  EXPECT_TRUE(test::contains(refused({"orpo.alpha=0.1"}), "alpha"));
  EXPECT_TRUE(test::contains(
      refused({"data.train=" + test::fixture("train/data/sft.jsonl").string()}), "preference"));
}

}  // namespace
}  // namespace hone
