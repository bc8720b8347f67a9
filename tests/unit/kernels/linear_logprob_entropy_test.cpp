#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "compare.h"
#include "kernels/linear_logprob/linear_logprob.h"

namespace hone::kernels {
namespace {

struct Shape {
  double logit_scale, softcap;
};

at::Tensor reference(const at::Tensor& hidden, const at::Tensor& weight, const Shape& shape) {
  at::Tensor logits = hidden.matmul(weight.t()) * shape.logit_scale;
  if (shape.softcap > 0) logits = (logits / shape.softcap).tanh() * shape.softcap;
  const at::Tensor logps = at::log_softmax(logits, 1);
  return -(logps.exp() * logps).sum(1);
}

at::Tensor copy_of(const at::Tensor& tensor, at::ScalarType dtype) {
  return tensor.to(dtype, /*non_blocking=*/false, /*copy=*/true);
}

// A logit of up to 4 is rounded to the dtype before it is looked at; the entropy's slope in a logit
// is p (H + log p), which summed over the vocabulary is at most a few.
TEST(LinearLogprobEntropy, IsThatOfTheSoftmax) {
  const std::int64_t M = 23, H = 64, V = 1001;
  const at::Tensor targets = at::arange(M).mul(7919).remainder(V);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const Shape shape : {Shape{1, 0}, Shape{0.25, 0}, Shape{2, 5}})
      for (const bool trains_head : {false, true}) {
        const at::Tensor hidden = test::normal({M, H}, 1, dtype);
        const at::Tensor weight =
            (0.125 * test::normal({V, H}, 2, dtype)).to(dtype).to(at::kDouble);
        const at::Tensor in = copy_of(hidden, dtype).requires_grad_();
        const auto got = linear_logprob_and_entropy(
            in, copy_of(weight, dtype).requires_grad_(trains_head), std::nullopt, targets,
            {.chunk_bytes = 5 * V * 4, .logit_scale = shape.logit_scale, .softcap = shape.softcap});
        const double u = std::max(test::unit_roundoff(dtype), 0x1p-24);
        test::expect_within(got.entropies_M, reference(hidden, weight, shape), {8 * u, 8 * u},
                            "entropy");
        EXPECT_FALSE(got.entropies_M.requires_grad());
        EXPECT_TRUE(got.logprobs_M.requires_grad());
        const at::Tensor alone = linear_logprob(
            in, weight.to(dtype), std::nullopt, targets,
            {.chunk_bytes = 5 * V * 4, .logit_scale = shape.logit_scale, .softcap = shape.softcap});
        EXPECT_TRUE(got.logprobs_M.equal(alone));
      }
}

// log V where all are alike; 0 where one has it all, far beyond where others' weights vanish.
TEST(LinearLogprobEntropy, HasItsLimits) {
  const std::int64_t V = 300;
  const at::Tensor weight = at::zeros({V, 1});
  const at::Tensor targets = at::zeros({2}, at::kLong);
  const at::Tensor hidden = at::ones({2, 1});
  EXPECT_NEAR(linear_logprob_and_entropy(hidden, weight, std::nullopt, targets)
                  .entropies_M[0]
                  .item<double>(),
              std::log(double(V)), 1e-6);
  weight[7] = 500;
  EXPECT_EQ(linear_logprob_and_entropy(hidden, weight, std::nullopt, targets)
                .entropies_M[1]
                .item<double>(),
            0.0);
}

}  // namespace
}  // namespace hone::kernels
