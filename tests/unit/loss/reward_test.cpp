#include "loss/reward.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

namespace hone::loss {
namespace {

using torch::Tensor;

TEST(ScoreRegression, IsTheMeanSquareOfTheAttributesThatThereAre) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Tensor outputs = torch::tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}).requires_grad_();
  const Tensor scores = torch::tensor({{0.0, 4.0}, {none, 1.0}, {none, none}});
  const Tensor losses = score_regression_loss(outputs, scores);
  EXPECT_TRUE(losses.allclose(torch::tensor({2.5, 9.0, 0.0})));
  losses.sum().backward();
  EXPECT_TRUE(outputs.grad().allclose(torch::tensor({{1.0, -2.0}, {0.0, 6.0}, {0.0, 0.0}})));
}

TEST(StepLabels, AreBinaryCrossEntropy) {
  torch::manual_seed(1);
  const Tensor logits = torch::randn({7}) * 5, labels = torch::tensor({1., 0., 1., 1., 0., 0., 1.});
  const Tensor expected =
      torch::binary_cross_entropy_with_logits(logits, labels, {}, {}, at::Reduction::None);
  EXPECT_TRUE(step_label_loss(logits, labels).allclose(expected, 1e-6, 1e-6));
  // Far out, where a sigmoid is 0 or 1 in fp32.
  const Tensor far = step_label_loss(torch::tensor({200.f, -200.f}), torch::tensor({0.f, 1.f}));
  EXPECT_TRUE(far.allclose(torch::tensor({200.f, 200.f})));
}

}  // namespace
}  // namespace hone::loss
