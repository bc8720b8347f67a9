#include "loss/cross_entropy.h"

#include <torch/csrc/autograd/autograd.h>

#include "base/error.h"
#include "support/support.h"
#include "unit/loss/fixture.h"

namespace hone::loss {
namespace {

using torch::Tensor;

TEST(WeightedNll, IsTheWeightedMeanOverTheWholeStep) {
  const Tensor logps = torch::tensor({-1.0f, -2.0f, -4.0f}).requires_grad_();
  const Tensor weights = torch::tensor({1.0f, 0.5f, 0.25f});
  const Tensor loss = weighted_nll(logps, weights, 7.0);
  EXPECT_FLOAT_EQ(loss.item<float>(), 3.0f / 7.0f);
  loss.backward();
  EXPECT_TRUE(torch::allclose(logps.grad(), -weights / 7.0));
}

TEST(WeightedNll, PartsOfAStepAddUpToTheWhole) {
  const Tensor logps = -torch::arange(1, 11, torch::kFloat32);
  const Tensor weights = torch::rand({10});
  const double total = weights.sum().item<double>();
  const double whole = weighted_nll(logps, weights, total).item<double>();
  double parts = 0;
  for (const auto& [begin, count] : {std::pair{0, 3}, {3, 1}, {4, 6}})
    parts += weighted_nll(logps.narrow(0, begin, count), weights.narrow(0, begin, count), total)
                 .item<double>();
  EXPECT_NEAR(parts, whole, 1e-6 * whole);
}

TEST(WeightedNll, AStepWithNothingTrainedGivesZeroAndZeroGradients) {
  const Tensor logps = torch::tensor({-1.0f, -2.0f}).requires_grad_();
  const Tensor loss = weighted_nll(logps, torch::zeros({2}), 0.0);
  EXPECT_EQ(loss.item<float>(), 0.0f);
  loss.backward();
  EXPECT_TRUE(logps.grad().equal(torch::zeros({2})));
}

// TRL's own loss and gradients with loss_type dft, over four micro-batches of one step.
TEST(DftWeights, AgreeWithTrlInValueAndGradient) {
  const LossFixture data("sft");
  const nlohmann::json& cases = data.cases["cases"];
  const auto is_dft = [](const nlohmann::json& c) { return c["mode"] == "dft_num_items"; };
  const auto found = std::find_if(cases.begin(), cases.end(), is_dft);
  ASSERT_NE(found, cases.end());
  for (std::size_t i = 0; i < (*found)["per_microbatch"].size(); ++i) {
    const std::string batch = std::to_string(i) + ".";
    const Tensor logits = data.read(batch + "logits").requires_grad_();
    const Tensor targets = data.read(batch + "labels").to(torch::kInt64).slice(1, 1);
    const Tensor weights = (targets != -100).to(torch::kFloat32).flatten();
    const Tensor logps = torch::log_softmax(logits, -1)
                             .slice(1, 0, logits.size(1) - 1)
                             .gather(2, targets.clamp_min(0).unsqueeze(-1))
                             .flatten();
    const Tensor loss =
        weighted_nll(logps, dft_weights(logps, weights), (*found)["num_items_in_batch"]);
    loss.backward();
    expect_loss(loss, (*found)["per_microbatch"][i], batch);
    expect_close(logits.grad(), data.read(batch + "grad.dft_num_items"), batch);
  }
}

TEST(WeightedNll, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(weighted_nll(torch::zeros({2}), torch::zeros({3}), 1.0), ShapeError);
  EXPECT_THROW(weighted_nll(torch::zeros({2}), torch::zeros({2}), -1.0), ShapeError);
}

/// Logits of five tokens over a vocabulary of seven, their targets and weights.
struct Smoothing {
  Tensor logits = torch::randn({5, 7}, torch::kFloat64).mul_(3).requires_grad_();
  Tensor targets = torch::tensor({1, 0, 6, 3, 3}, torch::kInt64);
  Tensor weights = torch::tensor({1.0, 0.5, 0.0, 1.0, 0.25}, torch::kFloat64);
  double total = weights.sum().item<double>();

  Tensor logsumexp() const { return logits.logsumexp(1); }
  Tensor logps() const { return logits.log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1); }
  Tensor gradient_of(const Tensor& loss) const {
    return torch::autograd::grad({loss}, {logits})[0];
  }
};

// transformers' LabelSmoother: (1 - e) nll + e * the mean over the vocabulary of -log p.
TEST(SmoothedNll, IsTransformersLabelSmoother) {
  const Smoothing s;
  for (const double epsilon : {0.0, 0.1, 0.7, 1.0}) {
    const Tensor of_all = -s.logits.log_softmax(1);
    const Tensor nll = of_all.gather(1, s.targets.unsqueeze(1)).squeeze(1);
    const Tensor expected =
        (((1 - epsilon) * nll + epsilon * of_all.sum(1) / 7) * s.weights).sum() / s.total;
    const Tensor got =
        smoothed_nll(s.logps(), s.logsumexp(), s.logits.mean(1), s.weights, s.total, epsilon);
    EXPECT_NEAR(got.item<double>(), expected.item<double>(), 1e-12) << epsilon;
    EXPECT_TRUE(torch::allclose(s.gradient_of(got), s.gradient_of(expected), 0, 1e-12)) << epsilon;
  }
}

TEST(SmoothedNll, WithoutSmoothingIsThePlainLoss) {
  const Smoothing s;
  const Tensor got =
      smoothed_nll(s.logps(), s.logsumexp(), s.logits.mean(1), s.weights, s.total, 0);
  EXPECT_EQ(got.item<double>(), weighted_nll(s.logps(), s.weights, s.total).item<double>());
}

TEST(SmoothedNll, RefusesAShareThatIsNone) {
  const Smoothing s;
  EXPECT_THROW(smoothed_nll(s.logps(), s.logsumexp(), s.logits.mean(1), s.weights, s.total, 1.5),
               ShapeError);
}

TEST(ZLoss, IsTheMeanSquareOfTheLogNormaliser) {
  const Smoothing s;
  const Tensor log_z = s.logits.exp().sum(1).log();
  const Tensor expected = (log_z.square() * s.weights).sum() / s.total;
  const Tensor got = z_loss(s.logsumexp(), s.weights, s.total);
  EXPECT_NEAR(got.item<double>(), expected.item<double>(), 1e-12);
  EXPECT_TRUE(torch::allclose(s.gradient_of(got), s.gradient_of(expected), 0, 1e-12));
}

}  // namespace
}  // namespace hone::loss
