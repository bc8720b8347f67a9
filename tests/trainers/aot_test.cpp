#include <torch/torch.h>

#include "trainers/dpo/pairs.h"
#include "trainers/dpo/step_slopes.h"
#include "trainers/preference_runs.h"
#include "trainers/trajectory.h"

// Losses that sort the pairs of an optimizer step: the same however the step is cut.

namespace hone {
namespace {

using nlohmann::json;
using test::preference_run;
using test::run_hone;
using test::steps_of;
using test::TinyRun;
using torch::Tensor;

loss::PairLogps pairs_of(const Tensor& policy_D, const Tensor& reference_D) {
  const Tensor policy = policy_D.view({-1, 2}), reference = reference_D.view({-1, 2});
  const Tensor tokens = torch::ones_like(reference.select(1, 0));
  return {.chosen = policy.select(1, 0),
          .rejected = policy.select(1, 1),
          .ref_chosen = reference.select(1, 0),
          .ref_rejected = reference.select(1, 1),
          .chosen_tokens = tokens,
          .rejected_tokens = tokens,
          .margins = torch::zeros_like(tokens)};
}

class StepSlopes : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(StepSlopes, GiveValueAndGradientOfTheWholeStep) {
  torch::manual_seed(3);
  const loss::DpoSettings settings = {
      .loss_type = GetParam(), .beta = 0.7, .label_smoothing = 0.1, .mean_chosen_tokens = 1};
  constexpr std::int64_t kDocuments = 4, kCuts = 3;
  const auto f64 = torch::kFloat64;
  const Tensor mixing = torch::randn({kCuts * kDocuments, 5}, f64);
  const Tensor reference = torch::randn({kCuts * kDocuments}, f64) * 3;
  const Tensor start = torch::randn({5}, f64), weights = torch::rand({kCuts * 2}, f64);
  const auto policy = [&](const Tensor& x) { return mixing.mv(x); };
  const auto cut = [&](const Tensor& all, std::int64_t i) {
    return all.slice(0, i * kDocuments, (i + 1) * kDocuments);
  };

  Tensor whole = start.clone().requires_grad_();
  const Tensor wanted =
      (loss::dpo_loss(pairs_of(policy(whole), reference), settings).losses * weights).mean();
  wanted.backward();

  std::vector<Tensor> leaves;
  std::vector<loss::PairLogps> parts;
  double own_losses = 0;  // what the micro-batches would say by themselves
  for (std::int64_t i = 0; i < kCuts; ++i) {
    leaves.push_back(cut(policy(start), i).detach().requires_grad_());
    parts.push_back(pairs_of(leaves.back(), cut(reference, i)));
    own_losses += loss::dpo_loss(parts.back(), settings).losses.sum().item<double>();
  }
  const dpo::StepSlopes slopes = dpo::slopes_of(leaves, parts, weights, settings);
  Tensor in_parts = start.clone().requires_grad_();
  double value = 0;
  for (std::int64_t i = 0; i < kCuts; ++i) {
    const Tensor part = slopes.part(std::size_t(i), cut(policy(in_parts), i));
    part.backward();
    value += part.item<double>();
  }
  EXPECT_NEAR(value, wanted.item<double>(), 1e-14);
  EXPECT_TRUE(in_parts.grad().allclose(whole.grad(), 1e-12, 1e-14));
  const double of_whole =
      loss::dpo_loss(pairs_of(policy(start), reference), settings).losses.sum().item<double>();
  EXPECT_GT(std::abs(own_losses - of_whole), 1e-3) << "the cut would not have mattered";
}

INSTANTIATE_TEST_SUITE_P(Losses, StepSlopes,
                         testing::Values(std::vector<std::string>{"aot"},
                                         std::vector<std::string>{"aot_unpaired"},
                                         std::vector<std::string>{"aot", "sft", "sigmoid"}));

struct Run {
  std::string name, adapter;
  std::vector<std::string> options;
};

class Aot : public testing::TestWithParam<Run> {};

TEST_P(Aot, DoesNotDependOnHowAStepIsCut) {
  const auto& [name, adapter, more] = GetParam();
  const TinyRun whole(adapter), cut(adapter);
  std::vector<std::string> one = preference_run(
      "dpo", {"train.max_steps=5", "schedule.warmup_steps=0", "optim.learning_rate=5e-3"});
  one.insert(one.end(), more.begin(), more.end());
  std::vector<std::string> four = one;
  one.insert(one.end(),
             {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"});
  const std::vector<json> got = steps_of(cut, four), want = steps_of(whole, one);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    for (const char* key : {"loss", "grad_norm", "rewards/margins", "entropy"}) {
      const double x = got[i][key], y = want[i][key];
      EXPECT_NEAR(x, y, 1e-4 * std::max(0.1, std::abs(y))) << key << " of step " << i + 1;
    }
  EXPECT_LT(test::relative_difference(test::product_of(cut), test::product_of(whole)), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Aot,
    testing::Values(
        Run{"paired", "{method: lora, r: 4}", {"dpo.loss_type=aot"}},
        Run{"unpaired", "{method: full}", {"dpo.loss_type=aot_unpaired"}},
        Run{"mixed",
            "{method: lora, r: 4}",
            {"dpo.loss_type=[aot, sigmoid]", "dpo.loss_weights=[1, 0.5]", "dpo.rpo_alpha=0.2"}},
        Run{"weighted", "{method: lora, r: 4}", {"dpo.loss_type=aot", "dpo.use_weighting=true"}},
        // The look at the whole step sees the dropout that the step has.
        Run{"dropping",
            "{method: lora, r: 4, lora_dropout: 0.3}",
            {"dpo.loss_type=aot", "dpo.prefix_sharing=always"}}),
    [](const auto& one) { return one.param.name; });

TEST(AotStep, IsRefusedWhereNoiseWouldDiffer) {
  const TinyRun run("{method: full}");
  const test::Finished refused = run_hone(
      run.train(preference_run("dpo", {"dpo.loss_type=aot", "train.neftune_noise_alpha=5"})));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(test::contains(refused.err, "gradient_accumulation_steps: 1"));
}

}  // namespace
}  // namespace hone
