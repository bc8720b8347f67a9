#include <nlohmann/json.hpp>

#include "config/load.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "optim/adamw.h"
#include "optim/schedule.h"
#include "support/support.h"

namespace hone::optim {
namespace {

OptimOptions options_from(const nlohmann::json& config) {
  OptimOptions options = config::defaults<OptimOptions>();
  options.weight_decay = config["weight_decay"];
  options.adam_beta1 = config["betas"][0];
  options.adam_beta2 = config["betas"][1];
  options.adam_epsilon = config["eps"];
  return options;
}

class AdamWParity : public testing::TestWithParam<const char*> {};

// torch.optim.AdamW's own trajectory under given gradients, 12 steps. Both compute in fp32; the
// order of a few operations differs: some units in the last place.
TEST_P(AdamWParity, FollowsTorch) {
  const std::string folder = std::string("optim/") + GetParam();
  if (!test::has_fixture(folder)) GTEST_SKIP() << folder << " is not in the small set";
  const nlohmann::json config = io::read_json(test::fixture(folder + "/config.json"));
  const io::SafetensorsFile file(test::fixture(folder + "/trajectory.safetensors"));
  const auto read = [&file](const std::string& name) { return model::to_tensor(*file.find(name)); };
  std::vector<Parameter> parameters;
  for (int i = 0; i < 3; ++i)
    parameters.push_back({fmt::format("p{}", i), read(fmt::format("init.{}", i)).requires_grad_()});
  AdamW optimizer(parameters, options_from(config));
  for (int t = 0; t < config["steps"]; ++t) {
    for (int i = 0; i < 3; ++i)
      parameters[i].tensor.mutable_grad() = read(fmt::format("grad.{}.{}", t, i));
    optimizer.step(config["lr"]);
    for (int i = 0; i < 3; ++i)
      EXPECT_TRUE(
          torch::allclose(parameters[i].tensor, read(fmt::format("param.{}.{}", t, i)), 1e-6, 1e-7))
          << "step " << t << ", parameter " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, AdamWParity, testing::Values("adamw", "adamw_b2"));

TEST(AdamW, GroupWithoutDecayStaysWhereItsGradientIsZero) {
  const Tensor weight = torch::ones({3}).requires_grad_(), norm = torch::ones({3}).requires_grad_();
  OptimOptions options = config::defaults<OptimOptions>();
  options.weight_decay = 0.1;
  AdamW optimizer({{"w", weight, takes_weight_decay("model.layers.0.mlp.up_proj.weight")},
                   {"n", norm, takes_weight_decay("model.layers.0.input_layernorm.weight")}},
                  options);
  optimizer.step(1.0);
  EXPECT_TRUE(weight.equal(torch::full({3}, 0.9f)));
  EXPECT_TRUE(norm.equal(torch::ones({3})));
}

class ScheduleParity : public testing::TestWithParam<const char*> {};

TEST_P(ScheduleParity, FollowsTransformers) {
  const nlohmann::json all = io::read_json(test::fixture("optim/lr_schedules/schedules.json"));
  const nlohmann::json& fixture = all.at(GetParam());
  const Schedule schedule{fixture["name"], fixture["base_lr"], fixture["num_warmup_steps"],
                          fixture["num_training_steps"]};
  for (std::size_t step = 0; step < fixture["lr"].size(); ++step)
    EXPECT_NEAR(schedule.at(std::int64_t(step)), fixture["lr"][step].get<double>(), 1e-15)
        << "step " << step;
}

INSTANTIATE_TEST_SUITE_P(Types, ScheduleParity,
                         testing::Values("linear_w5", "cosine_w5", "constant_w5",
                                         "constant_with_warmup_w5"));

TEST(Schedule, WarmupRatioIsTakenOfAllStepsAndRoundedUp) {
  ScheduleOptions options = config::defaults<ScheduleOptions>();
  options.warmup_ratio = 0.1;
  EXPECT_EQ(make_schedule(options, 1.0, 101).warmup_steps, 11);
}

TEST(ClipGradNorm, ScalesAsTorchDoes) {
  const io::SafetensorsFile file(test::fixture("optim/clip_grad_norm/data.safetensors"));
  const nlohmann::json cases = io::read_json(test::fixture("optim/clip_grad_norm/cases.json"));
  int compared = 0;
  for (std::size_t c = 0; c < cases.size(); ++c) {
    if (cases[c]["norm_type"] != "2.0") continue;
    std::vector<Parameter> parameters;
    for (int i = 0; file.find(fmt::format("grad.{}", i)) != nullptr; ++i) {
      const Tensor gradient = model::to_tensor(*file.find(fmt::format("grad.{}", i)));
      parameters.push_back({"p", torch::zeros_like(gradient).requires_grad_()});
      parameters.back().tensor.mutable_grad() = gradient;
    }
    ASSERT_FALSE(parameters.empty());
    const double max_norm = cases[c]["max_norm"];
    const double norm = clip_grad_norm(parameters, max_norm);
    EXPECT_NEAR(norm / cases[c]["total_norm"].get<double>(), 1.0, 1e-6);
    for (std::size_t i = 0; i < parameters.size(); ++i, ++compared) {
      const io::TensorView* expected = file.find(fmt::format("clipped.{:.1f}.2.0.{}", max_norm, i));
      ASSERT_NE(expected, nullptr);
      EXPECT_TRUE(torch::allclose(parameters[i].tensor.grad(), model::to_tensor(*expected), 1e-6));
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(ClipGradNorm, ReportsANormThatIsNotFiniteAndLeavesTheGradients) {
  const Tensor tensor = torch::zeros({2}).requires_grad_();
  tensor.mutable_grad() = torch::tensor({NAN, 1.0f});
  EXPECT_TRUE(std::isnan(clip_grad_norm({{"p", tensor}}, 1.0)));
  EXPECT_EQ(tensor.grad()[1].item<float>(), 1.0f);
}

}  // namespace
}  // namespace hone::optim
