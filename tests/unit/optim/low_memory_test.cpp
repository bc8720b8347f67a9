#include <cmath>
#include <limits>
#include <memory>

#include "base/error.h"
#include "config/load.h"
#include "optim/backward_steps.h"
#include "optim/clip.h"
#include "optim/loss_scale.h"
#include "optim/optimizer.h"
#include "optim/portions.h"
#include "optim/rounded_step.h"
#include "optim/rules.h"
#include "support/support.h"

// What takes memory from an update, and the loss scale of fp16: parameters without masters, moments
// in host memory, gradients that are let go as they come.

namespace hone::optim {
namespace {

OptimOptions options_of(const std::string& yaml) {
  return config::parse<OptimOptions>(yaml, "options").options;
}

Parameter parameter(const std::string& name, const Tensor& start) {
  return {name, start.clone().requires_grad_()};
}

void give(const Parameter& to, const Tensor& gradient) {
  Tensor tensor = to.tensor;
  tensor.mutable_grad() = gradient.to(tensor.scalar_type());
}

/// Matrices large enough for GaLore and the 8-bit states, a vector, and more than a portion.
std::vector<Parameter> some_parameters(torch::Dtype dtype) {
  torch::manual_seed(4);
  return {parameter("layers.0.q_proj.weight", torch::randn({140, 150}).to(dtype)),
          parameter("norm.weight", torch::randn({5}).to(dtype)),
          parameter("embed.weight", torch::randn({1030, 1030}).to(dtype))};
}

void give_all(const std::vector<Parameter>& parameters, std::uint64_t seed) {
  torch::manual_seed(seed);
  for (const Parameter& one : parameters) give(one, torch::randn(one.tensor.sizes()));
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Method& method : methods()) names.push_back(method.name);
  return names;
}

class EveryMethod : public testing::TestWithParam<std::string> {};

// One step from the same numbers: bf16 is one of the two neighbours of what fp32 gives.
TEST_P(EveryMethod, RoundsAPureBf16ParameterToANeighbour) {
  const OptimOptions options = options_of("{weight_decay: 0.01, name: " + GetParam() + "}");
  const std::vector<Parameter> pure = some_parameters(torch::kBFloat16);
  std::vector<Parameter> wide;
  for (const Parameter& one : pure)
    wide.push_back(parameter(one.name, one.tensor.detach().to(torch::kFloat32)));
  give_all(pure, 8);
  for (std::size_t i = 0; i < wide.size(); ++i) give(wide[i], pure[i].tensor.grad());
  Optimizer of_pure(pure, options, 7), of_wide(wide, options);
  of_pure.step(1e-3);
  of_wide.step(1e-3);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const Tensor exact = wide[i].tensor.detach();
    const Tensor got = pure[i].tensor.detach().to(torch::kFloat32);
    // Two numbers of bf16 in a binade lie 2^-7 of its beginning apart.
    EXPECT_TRUE(((got - exact).abs() <= exact.abs() * 0x1p-7).all().item<bool>()) << wide[i].name;
    EXPECT_FALSE(got.equal(exact));
  }
  for (const auto& [name, state] : of_pure.state())
    EXPECT_NE(state.scalar_type(), torch::kBFloat16) << name;
}

// The same bits in the backward pass as after it, in fp32 and in pure bf16, and no gradient left.
TEST_P(EveryMethod, StepsInTheBackwardPassToTheSameBits) {
  const OptimOptions options =
      options_of("{weight_decay: 0.01, ema_decay: 0.5, name: " + GetParam() + "}");
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    const std::vector<Parameter> after = some_parameters(dtype), during = some_parameters(dtype);
    Optimizer ordinary(after, options, 7), early(during, options, 7);
    for (int step = 0; step < 3; ++step) {
      const auto loss = [](const std::vector<Parameter>& of) {
        return (of[0].tensor.square().sum() + of[2].tensor.sin().sum() * of[0].tensor[0][0])
            .to(torch::kFloat32);  // the second gets no gradient
      };
      loss(after).backward();
      const double norm = clip_grad_norm(after, 0);
      clip_grad_value(after, 0.5);
      ordinary.step(1e-2);
      ordinary.zero_grad();
      {
        BackwardSteps steps(early, BackwardSteps::Update{1e-2, 0.5});
        loss(during).backward();
        for (const Parameter& one : during) EXPECT_FALSE(one.tensor.grad().defined());
        EXPECT_EQ(steps.finish(), norm);
      }
      for (std::size_t i = 0; i < after.size(); ++i)
        ASSERT_TRUE(during[i].tensor.equal(after[i].tensor)) << during[i].name;
    }
    const NamedTensors a = ordinary.state(), b = early.state();
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(b[i].second.equal(a[i].second));
    EXPECT_EQ(early.steps_done(), ordinary.steps_done());
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMethod, testing::ValuesIn(method_names()),
                         [](const auto& test) { return test.param; });

// 1 and an update of a sixteenth of what bf16 can tell from it: to nearest it would be lost in each
// of the steps, and by chance it counts in the mean.
TEST(PureBf16, SmallUpdatesCountInTheMean) {
  constexpr std::int64_t kElements = 100'000;
  constexpr int kSteps = 32;
  const Parameter weight = parameter("w", torch::ones({kElements}).to(torch::kBFloat16));
  Optimizer optimizer({weight}, options_of("{name: sgd}"), 3);
  for (int step = 0; step < kSteps; ++step) {
    give(weight, torch::full({kElements}, -1.0));
    optimizer.step(0x1p-11);
  }
  const Tensor lost = (torch::ones({1}) + 0x1p-11).to(torch::kBFloat16);
  ASSERT_EQ(lost.item<float>(), 1.0f);
  // A share of kSteps / 16 of an ulp of 2^-7, give or take chance: a sum of kSteps draws.
  const double ulps =
      weight.tensor.detach().to(torch::kFloat64).sub(1).mul(0x1p7).mean().item<double>();
  const double deviation = std::sqrt(kSteps * (1.0 / 16) * (15.0 / 16) / kElements);
  EXPECT_NEAR(ulps, kSteps / 16.0, 5 * deviation);
}

TEST(PureBf16, GoesOnWithTheSameBitsFromTheStepCount) {
  const OptimOptions options = options_of("{name: adamw}");
  std::vector<Parameter> whole = some_parameters(torch::kBFloat16);
  Optimizer all(whole, options, 5);
  std::vector<Parameter> later;
  std::unique_ptr<Optimizer> resumed;
  for (int step = 0; step < 6; ++step) {
    if (step == 3) {
      for (const Parameter& one : whole) later.push_back(parameter(one.name, one.tensor.detach()));
      resumed = std::make_unique<Optimizer>(later, options, 5);
      const NamedTensors from = all.state(), to = resumed->state();
      for (std::size_t i = 0; i < from.size(); ++i) {
        Tensor target = to[i].second;
        target.copy_(from[i].second);
      }
      resumed->set_steps_done(all.steps_done());
    }
    give_all(whole, std::uint64_t(20 + step));
    all.step(1e-3);
    if (!resumed) continue;
    give_all(later, std::uint64_t(20 + step));
    resumed->step(1e-3);
  }
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_TRUE(later[i].tensor.equal(whole[i].tensor));
}

// Where portions are cut shows nowhere, with a rule's states in 32 or in 8 bits.
TEST(Portions, GiveTheBitsOfTheWhole) {
  torch::manual_seed(6);
  const std::int64_t size = 2 * kPortion + 777;
  for (const Rule* rule : {&adamw_rule(), &adamw_8bit_rule(), &lion_8bit_rule()}) {
    const OptimOptions options = config::defaults<OptimOptions>();
    const Tensor start = torch::randn({size}), gradient = torch::randn({size});
    const auto slot_of = [&] {
      Slot slot{start.clone(), gradient, {}, 1e-2, 0.1};
      for (const auto& [name, state] : rule->states(start, options)) slot.states.push_back(state);
      return slot;
    };
    const Slot whole = slot_of(), cut = slot_of();
    rule->step({&whole, 1}, 1, options);
    int portions = 0;
    for_portions(cut, [&](const Slot& portion, std::int64_t first) {
      EXPECT_EQ(first, portions++ * kPortion);
      rule->step({&portion, 1}, 1, options);
    });
    EXPECT_EQ(portions, 3);
    EXPECT_TRUE(cut.parameter.equal(whole.parameter));
    EXPECT_FALSE(cut.parameter.equal(start));
    for (std::size_t s = 0; s < whole.states.size(); ++s)
      EXPECT_TRUE(cut.states[s].equal(whole.states[s])) << s;
  }
}

TEST(PagedMoments, GiveTheBitsOfThoseOnTheDevice) {
  for (const auto& [paged, plain] :
       {std::pair("paged_adamw_32bit", "adamw"), std::pair("paged_adamw_8bit", "adamw_8bit"),
        std::pair("paged_lion_32bit", "lion"), std::pair("paged_lion_8bit", "lion_8bit")}) {
    const std::vector<Parameter> a = some_parameters(torch::kFloat32),
                                 b = some_parameters(torch::kFloat32);
    Optimizer in_host(a, options_of(fmt::format("{{weight_decay: 0.1, name: {}}}", paged)));
    Optimizer on_device(b, options_of(fmt::format("{{weight_decay: 0.1, name: {}}}", plain)));
    for (std::uint64_t step = 0; step < 3; ++step) {
      give_all(a, 30 + step);
      give_all(b, 30 + step);
      in_host.step(1e-2);
      on_device.step(1e-2);
    }
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].tensor.equal(b[i].tensor)) << paged;
    const NamedTensors kept = in_host.state(), expected = on_device.state();
    ASSERT_EQ(kept.size(), expected.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      EXPECT_EQ(kept[i].first, expected[i].first) << "checkpoints of either fit the other";
      EXPECT_TRUE(kept[i].second.equal(expected[i].second)) << kept[i].first;
    }
  }
}

// A gradient that is no number is not used, nor is any that comes after it.
TEST(BackwardSteps, EndAtAGradientThatIsNotFinite) {
  const Parameter first = parameter("a", torch::ones({3})),
                  second = parameter("b", torch::ones({3}));
  Optimizer optimizer({first, second}, options_of("{name: sgd}"));
  BackwardSteps steps(optimizer, BackwardSteps::Update{0.1, 0});
  Tensor x = first.tensor * 2;
  x = (x * second.tensor).square();
  const double infinity = std::numeric_limits<double>::infinity();
  (x.sum() * infinity).backward();
  EXPECT_FALSE(std::isfinite(steps.finish()));
  EXPECT_TRUE(first.tensor.equal(torch::ones({3})));
  EXPECT_TRUE(second.tensor.equal(torch::ones({3})));
  EXPECT_EQ(optimizer.steps_done(), 0);
}

TEST(BackwardSteps, OfAProbeOnlyLetGradientsGo) {
  const std::vector<Parameter> parameters = some_parameters(torch::kFloat32);
  const Tensor before = parameters[0].tensor.detach().clone();
  Optimizer optimizer(parameters, options_of("{name: adamw}"));
  {
    BackwardSteps steps(optimizer, std::nullopt);
    parameters[0].tensor.square().sum().backward();
  }
  EXPECT_TRUE(parameters[0].tensor.equal(before));
  EXPECT_FALSE(parameters[0].tensor.grad().defined());
  EXPECT_EQ(optimizer.steps_done(), 0);
  parameters[0].tensor.square().sum().backward();  // nothing listens any more
  EXPECT_TRUE(parameters[0].tensor.grad().defined());
}

// The rules of torch.amp.GradScaler with its own numbers.
TEST(LossScale, HalvesAtAnOverflowAndDoublesAfterTwoThousandGoodSteps) {
  LossScale scale;
  EXPECT_EQ(scale.factor, 65536);
  for (int step = 0; step < 1999; ++step) scale.note_finite();
  EXPECT_EQ(scale.factor, 65536);
  scale.note_finite();
  EXPECT_EQ(scale.factor, 131072);
  for (int step = 0; step < 1999; ++step) scale.note_finite();
  scale.note_overflow(4000);
  EXPECT_EQ(scale.factor, 65536);
  for (int step = 0; step < 1999; ++step) scale.note_finite();
  EXPECT_EQ(scale.factor, 65536) << "the overflow began the count anew";
  scale.note_finite();
  EXPECT_EQ(scale.factor, 131072);
  EXPECT_EQ(scale.overflows, (std::vector<std::int64_t>{4000}));
}

TEST(LossScale, StopsAtItsFloor) {
  LossScale scale;
  for (int step = 1; step <= 16; ++step) scale.note_overflow(step);
  EXPECT_EQ(scale.factor, 1);
  const std::string message = test::message_of<Error>([&] { scale.note_overflow(17); });
  EXPECT_TRUE(test::contains(message, "step 17"));
  EXPECT_TRUE(test::contains(message, "train.precision: bf16"));
}

TEST(LossScale, NeverGrowsBeyondFp32) {
  LossScale scale;
  scale.factor = 0x1p127;
  scale.finite_in_a_row = LossScale::kGrowthInterval - 1;
  scale.note_finite();
  EXPECT_EQ(scale.factor, 0x1p127);
}

TEST(LossScale, IsTakenOffAgainExactly) {
  const Parameter weight = parameter("w", torch::ones({3}));
  give(weight, torch::tensor({65536.0f * 0.3f, 1.0f, -65536.0f}));
  unscale({weight}, 65536);
  EXPECT_TRUE(weight.tensor.grad().equal(torch::tensor({0.3f, 0x1p-16f, -1.0f})));
}

}  // namespace
}  // namespace hone::optim
