#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "adapters/dora_linear.h"
#include "adapters/lora_linear.h"
#include "kernels/rms_norm/rms_norm.h"

// Layers whose input is made again for the backward pass, against the same whose input is kept: a
// copy of it is no norm's result any more.
namespace hone::adapters {
namespace {

constexpr std::int64_t kTokens = 12, kIn = 40, kOut = 24, kRank = 3;

struct Leaves {
  Tensor x = torch::randn({kTokens, kIn}).requires_grad_();
  Tensor a = torch::randn({kRank, kIn}).requires_grad_();
  Tensor b = torch::randn({kOut, kRank}).requires_grad_();
  Tensor magnitude = torch::rand({kOut}).requires_grad_();
  model::FrozenWeight weight{torch::randn({kOut, kIn})};
};

Tensor normalised(const Tensor& x, torch::Dtype dtype) {
  return kernels::rms_norm(x.to(dtype), torch::ones({kIn}, dtype), 1e-5);
}

void expect_same_gradients(const Tensor& again, const Tensor& kept,
                           const std::vector<Tensor>& wanted) {
  ASSERT_TRUE(at::equal(again, kept));
  const auto of_again = torch::autograd::grad({again.square().sum()}, wanted);
  const auto of_kept = torch::autograd::grad({kept.square().sum()}, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(at::equal(of_again[i], of_kept[i])) << i;
  EXPECT_GT(of_again[0].abs().sum().item<double>(), 0);
}

TEST(LoraLinear, GivesTheSameGradientsWhereItsInputIsMadeAgain) {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16})
    for (const double dropout : {0.0, 0.3}) {
      const Leaves leaves;
      const auto of = [&](const Tensor& x) {
        return lora_linear(x, leaves.weight, {}, leaves.a, leaves.b, 0.5, dropout, {.seed = 7});
      };
      expect_same_gradients(of(normalised(leaves.x, dtype)),
                            of(normalised(leaves.x, dtype).clone()),
                            {leaves.x, leaves.a, leaves.b});
    }
}

TEST(DoraLinear, GivesTheSameGradientsWhereItsInputIsMadeAgain) {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    const Leaves leaves;
    const Tensor norms = torch::rand({kOut}) + 1;
    const auto of = [&](const Tensor& x) {
      return dora_linear(x, leaves.weight, {}, leaves.a, leaves.b, leaves.magnitude, norms, 0.5);
    };
    expect_same_gradients(of(normalised(leaves.x, dtype)), of(normalised(leaves.x, dtype).clone()),
                          {leaves.x, leaves.a, leaves.b, leaves.magnitude});
  }
}

}  // namespace
}  // namespace hone::adapters
