#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "loss/reward.h"

// The losses of reward models against closed forms in plain C++, and their gradients against
// central differences of these, all in fp64.

namespace hone::loss {
namespace {

using torch::Tensor;

using Values = std::vector<double>;

Tensor tensor_of(const Values& values) { return torch::tensor(values, torch::kFloat64); }

/// Compares Σ weight_i · loss_i, and its gradient in every one of `inputs`.
void expect_like(const std::function<Tensor(const Tensor&)>& losses,
                 const std::function<Values(const Values&)>& closed_form, const Values& inputs) {
  const auto weight = [](std::size_t i) { return 1 + 0.5 * double(i); };
  const auto sum = [&](const Values& at) {
    const Values all = closed_form(at);
    double total = 0;
    for (std::size_t i = 0; i < all.size(); ++i) total += weight(i) * all[i];
    return total;
  };
  const Tensor x = tensor_of(inputs).requires_grad_();
  const Tensor got = losses(x);
  Tensor total = torch::zeros({}, torch::kFloat64);
  for (std::int64_t i = 0; i < got.numel(); ++i)
    total = total + got.flatten()[i] * weight(std::size_t(i));
  total.backward();
  EXPECT_NEAR(total.item<double>(), sum(inputs), 1e-12);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Values above = inputs, below = inputs;
    above[i] += kStep;
    below[i] -= kStep;
    EXPECT_NEAR(x.grad()[std::int64_t(i)].item<double>(), (sum(above) - sum(below)) / (2 * kStep),
                1e-8)
        << "input " << i;
  }
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

TEST(RewardLosses, BradleyTerryWithMarginAndCentring) {
  const Values margins = {0, 0.5, -1, 2};
  constexpr double kCentre = 0.03;
  expect_like(
      [&](const Tensor& x) {
        const Tensor pairs = x.view({-1, 2});
        return bradley_terry_loss(pairs.select(1, 0), pairs.select(1, 1), tensor_of(margins),
                                  kCentre);
      },
      [&](const Values& x) {
        Values losses;
        for (std::size_t p = 0; p < margins.size(); ++p) {
          const double w = x[2 * p], l = x[2 * p + 1];
          losses.push_back(softplus(-(w - l - margins[p])) + kCentre * (w + l) * (w + l));
        }
        return losses;
      },
      {0.3, -0.7, 1.5, 1.4, -2, 2, 6, -6});
}

TEST(RewardLosses, StepLabels) {
  const Values labels = {1, 0, 1, 1, 0};
  expect_like([&](const Tensor& x) { return step_label_loss(x, tensor_of(labels)); },
              [&](const Values& x) {
                Values losses;
                for (std::size_t i = 0; i < labels.size(); ++i)
                  losses.push_back(softplus(labels[i] > 0 ? -x[i] : x[i]));
                return losses;
              },
              {0.3, -0.7, 4, -9, 12});
}

TEST(RewardLosses, ScoresOfSeveralAttributes) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Values scores = {1, none, -2, none, none, none, 0.5, 3, none, -1, 0, 1};
  constexpr std::size_t kAttributes = 3;
  expect_like(
      [&](const Tensor& x) {
        return score_regression_loss(x.view({-1, kAttributes}),
                                     tensor_of(scores).view({-1, kAttributes}));
      },
      [&](const Values& x) {
        Values losses;
        for (std::size_t row = 0; row < scores.size() / kAttributes; ++row) {
          double squares = 0, present = 0;
          for (std::size_t i = row * kAttributes; i < (row + 1) * kAttributes; ++i) {
            if (std::isnan(scores[i])) continue;
            squares += (x[i] - scores[i]) * (x[i] - scores[i]);
            present += 1;
          }
          losses.push_back(present > 0 ? squares / present : 0);
        }
        return losses;
      },
      {0.3, -0.7, 1.5, 1.4, -2, 2, 6, -6, 0.1, 0.2, 0.3, 0.4});
}

}  // namespace
}  // namespace hone::loss
