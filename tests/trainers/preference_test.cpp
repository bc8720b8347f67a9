#include "trainers/preference_runs.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "trainers/trajectory.h"

// `hone train` with the methods that learn from comparisons, on a tiny model.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::preference_run;
using test::run_hone;
using test::steps_of;
using test::TinyRun;

struct Trajectory {
  const char* name;
  const char* method;
  std::vector<std::string> options;
  std::vector<test::Compared> compared;
};

class PreferenceTrajectory : public testing::TestWithParam<Trajectory> {};

// TRL's trainers, 20 steps in fp32.
TEST_P(PreferenceTrajectory, IsTrlsStepByStep) {
  const auto& [name, method, options, compared] = GetParam();
  const fs::path fixture = test::fixture(std::string("train/") + name);
  const TinyRun run(test::adapter_as(fixture));
  steps_of(run, preference_run(method, options));
  test::expect_trajectory(run, fixture, compared);
}

// A reward is a small difference of large sums of log-probabilities: it is held to 1e-4 of these.
const std::vector<test::Compared> kOfPairs = {
    {"rewards/chosen", 1e-4},     {"rewards/rejected", 1e-4}, {"rewards/margins", 1e-4},
    {"rewards/accuracies", 1e-4}, {"logps/chosen", 0},        {"logps/rejected", 0}};
// Without those of good answers: TRL's means over these are means of its micro-batches' means;
// hone's are over all.
const std::vector<test::Compared> kOfRows = {
    {"rewards/rejected", 1e-4}, {"logps/rejected", 0}, {"kl", 1e-4}};

INSTANTIATE_TEST_SUITE_P(Fixtures, PreferenceTrajectory,
                         testing::Values(Trajectory{"dpo_full", "dpo", {}, kOfPairs},
                                         Trajectory{"dpo_lora", "dpo", {}, kOfPairs},
                                         Trajectory{"kto_full",
                                                    "kto",
                                                    {"kto.undesirable_weight=1.33",
                                                     "kto.kl_scope=micro_batch"},
                                                    kOfRows}),
                         [](const auto& one) { return std::string(one.param.name); });

/// Every loss is trained with, and none depends on how a step is cut.
class DpoLossTypes : public testing::TestWithParam<const char*> {};

TEST_P(DpoLossTypes, DoNotDependOnHowAStepIsCut) {
  const std::vector<std::string> options = {std::string("dpo.") + GetParam(), "train.max_steps=3",
                                            "schedule.warmup_steps=0"};
  const TinyRun whole("{method: full}"), cut("{method: full}");
  std::vector<std::string> one = preference_run("dpo", options), four = one;
  one.insert(one.end(),
             {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"});
  const std::vector<json> a = steps_of(whole, one), b = steps_of(cut, four);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(a[i]["loss"].is_number());
    EXPECT_NEAR(a[i]["loss"].get<double>(), b[i]["loss"].get<double>(),
                2e-5 * std::abs(a[i]["loss"].get<double>()))
        << "step " << i + 1;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, DpoLossTypes,
    testing::Values("loss_type=hinge", "loss_type=ipo", "loss_type=exo_pair", "loss_type=nca_pair",
                    "loss_type=bco_pair", "loss_type=sppo_hard", "loss_type=apo_zero",
                    "loss_type=apo_down", "loss_type=discopop", "loss_type=sigmoid_norm",
                    "loss_type=sft", "rpo_alpha=0.5", "ld_alpha=0.5", "use_weighting=true",
                    "label_smoothing=0.1", "f_divergence_type=js_divergence",
                    "f_divergence_type=forward_kl", "f_divergence_type=alpha_divergence"),
    [](const auto& one) {
      std::string name = one.param;
      std::ranges::replace_if(
          name, [](char c) { return !std::isalnum(c); }, '_');
      return name;
    });

TEST(Dpo, SeveralLossesAreWeighed) {
  const TinyRun one("{method: full}"), two("{method: full}"), both("{method: full}");
  const auto first_loss = [](const TinyRun& run, const std::string& options) {
    return steps_of(run, preference_run("dpo", {options, "train.max_steps=1"}))
        .at(0)["loss"]
        .get<double>();
  };
  const double sigmoid = first_loss(one, "dpo.loss_type=sigmoid");
  const double sft = first_loss(two, "dpo.loss_type=sft");
  const TinyRun& run = both;
  const std::vector<json> steps =
      steps_of(run, preference_run("dpo", {"dpo.loss_type=[sigmoid, sft]",
                                           "dpo.loss_weights=[2, 0.5]", "train.max_steps=1"}));
  EXPECT_NEAR(steps.at(0)["loss"].get<double>(), 2 * sigmoid + 0.5 * sft, 1e-5);
}

// With the policy at its reference Δ is 0, and the loss is that of the margin alone.
TEST(Dpo, APairsMarginHasToBeExceeded) {
  const TinyRun run("{method: full}");
  std::string rows;
  for (int i = 0; i < 4; ++i)
    rows += R"({"prompt_ids":[5,6],"chosen_ids":[7,8,2],"rejected_ids":[9,2],"margin":0.5})"
            "\n";
  const std::string file = run.folder.write("rows.jsonl", rows).string();
  const std::vector<json> steps =
      steps_of(run, {"train.method=dpo", "data.train=" + file, "train.max_steps=1",
                     "train.gradient_accumulation_steps=1", "train.per_device_train_batch_size=4"});
  EXPECT_NEAR(steps.at(0)["loss"].get<double>(), std::log1p(std::exp(0.5)), 1e-6);
}

TEST(Dpo, EvaluatesAsItTrains) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string rows = test::fixture("train/data/pref.jsonl").string();
  const std::vector<std::string> options = preference_run(
      "dpo", {"data.eval=" + rows, "eval.eval_steps=10", "eval.tokens_per_device_batch=100"});
  steps_of(run, options);
  std::vector<json> evaluations;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (line.contains("eval_loss")) evaluations.push_back(line);
  ASSERT_EQ(evaluations.size(), 2u);
  EXPECT_LT(evaluations[1]["eval_loss"].get<double>(), evaluations[0]["eval_loss"].get<double>());
  for (const char* key : {"eval_rewards/chosen", "eval_rewards/margins", "eval_rewards/accuracies",
                          "eval_logps/rejected", "eval_kl", "eval_entropy"})
    EXPECT_TRUE(evaluations[1].contains(key)) << key;
  EXPECT_GT(evaluations[1]["eval_rewards/accuracies"].get<double>(), 0.8);
}

TEST(Kto, EvaluatesAsItTrains) {
  for (const char* type : {"kto", "bco", "apo_zero_unpaired"}) {
    const TinyRun run("{method: lora, r: 4}");
    const std::string rows = test::fixture("train/data/kto.jsonl").string();
    steps_of(run, preference_run("kto", {"data.eval=" + rows, "eval.eval_steps=10",
                                         std::string("kto.loss_type=") + type}));
    std::vector<json> evaluations;
    for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
      if (line.contains("eval_loss")) evaluations.push_back(line);
    ASSERT_EQ(evaluations.size(), 2u);
    EXPECT_LT(evaluations[1]["eval_loss"].get<double>(), evaluations[0]["eval_loss"].get<double>());
    EXPECT_GT(evaluations[1]["eval_rewards/margins"].get<double>(), 0.05) << type;
    EXPECT_EQ(evaluations[1].contains("eval_kl"), std::string(type) == "kto");
  }
}

}  // namespace
}  // namespace hone
