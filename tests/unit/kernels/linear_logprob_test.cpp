#include "kernels/linear_logprob/linear_logprob.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/error.h"
#include "compare.h"
#include "support/support.h"

namespace hone::kernels {
namespace {

using test::Bound;

struct Case {
  std::int64_t M, H, V;
  std::int64_t chunk_bytes;
};

at::Tensor targets(const Case& c) { return at::arange(c.M).mul(7919).remainder(c.V); }

at::Tensor composite(const std::vector<at::Tensor>& in, const at::Tensor& targets_M) {
  at::Tensor logits = in[0].matmul(in[1].t());
  if (in.size() > 2) logits = logits + in[2];
  return at::log_softmax(logits, 1).gather(1, targets_M.unsqueeze(1)).squeeze(1);
}

std::vector<at::Tensor> inputs(const Case& c, bool bias, at::ScalarType dtype) {
  const double scale = 1 / std::sqrt(static_cast<double>(c.H));
  std::vector<at::Tensor> in{
      test::normal({c.M, c.H}, 1, dtype),
      (scale * test::normal({c.V, c.H}, 2, dtype)).to(dtype).to(at::kDouble)};
  if (bias) in.push_back(test::normal({c.V}, 3, dtype));
  return in;
}

// Logits up to 4 (7 with a bias) are rounded before the softmax and their gradients once more; what
// follows is summed over the vocabulary in fp32, from softmaxes of numbers some 10 below zero,
// and weighted by up to 3.
Bound value_bound(double u) { return {2 * u, 3 * u}; }
Bound gradient_bound(double u) { return {4 * u, 12 * u + 128 * std::min(u, 0x1p-24)}; }

void check(const Case& c, bool bias, at::ScalarType dtype) {
  SCOPED_TRACE(fmt::format("M {} H {} V {} bias {} {}", c.M, c.H, c.V, bias, c10::toString(dtype)));
  const at::Tensor t = targets(c);
  const double u = std::max(test::unit_roundoff(dtype), 0x1p-24);
  const auto fused = [&](const std::vector<at::Tensor>& in) {
    return linear_logprob(in[0], in[1], in.size() > 2 ? std::optional(in[2]) : std::nullopt, t,
                          {.chunk_bytes = c.chunk_bytes});
  };
  const auto reference = [&](const std::vector<at::Tensor>& in) { return composite(in, t); };
  test::expect_like_reference(fused, reference, inputs(c, bias, dtype), dtype, value_bound(u),
                              gradient_bound(u));
}

TEST(LinearLogprob, AgreesWithTheCompositeInDoublePrecision) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const bool bias : {false, true}) {
      check({1, 8, 3, 1 << 20}, bias, dtype);
      check({23, 64, 1001, 1 << 20}, bias, dtype);
      check({23, 64, 1001, 7 * 1001 * 4}, bias, dtype);  // several chunks, the last one shorter
      check({5, 16, 50, 1}, bias, dtype);                // one row a chunk
    }
}

TEST(LinearLogprob, GradientsAgreeWithDifferences) {
  const Case c{6, 8, 11, 3 * 11 * 8};
  test::expect_gradients_like_differences(
      [&](const auto& in) {
        return linear_logprob(in[0], in[1], in[2], targets(c), {.chunk_bytes = c.chunk_bytes});
      },
      inputs(c, true, at::kDouble));
}

TEST(LinearLogprob, WithAFrozenHeadTheGradientIsTheSame) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const Case c{23, 64, 1001, 5 * 1001 * 4};
    const std::vector<at::Tensor> in = inputs(c, true, dtype);
    const double u = std::max(test::unit_roundoff(dtype), 0x1p-24);
    test::expect_like_reference(
        [&](const auto& leaf) {
          return linear_logprob(leaf[0], in[1].to(dtype), in[2].to(dtype), targets(c),
                                {.chunk_bytes = c.chunk_bytes});
        },
        [&](const auto& leaf) {
          return composite({leaf[0], in[1], in[2]}, targets(c));
        },
        {in[0]}, dtype, value_bound(u), gradient_bound(u));
  }
}

TEST(LinearLogprob, ScalesAndCapsTheLogits) {
  for (const auto& [scale, softcap] : {std::pair{0.25, 0.0}, {1.0, 1.5}, {2.0, 30.0}}) {
    const LinearLogprobOptions options{
        .chunk_bytes = 7 * 1001 * 4, .logit_scale = scale, .softcap = softcap};
    const auto reference = [&, of = softcap, by = scale](const auto& in, const at::Tensor& t) {
      at::Tensor logits = by * in[0].matmul(in[1].t());
      if (of > 0) logits = of * at::tanh(logits / of);
      return at::log_softmax(logits, 1).gather(1, t.unsqueeze(1)).squeeze(1);
    };
    const Case c{23, 64, 1001, 0};
    const at::Tensor t = targets(c);
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
      const double u = std::max(test::unit_roundoff(dtype), 0x1p-24) * std::max(1.0, scale);
      const std::vector<at::Tensor> in = inputs(c, false, dtype);
      test::expect_like_reference(
          [&](const auto& x) { return linear_logprob(x[0], x[1], {}, t, options); },
          [&](const auto& x) { return reference(x, t); }, in, dtype, value_bound(u),
          gradient_bound(u));
      test::expect_like_reference(  // a frozen head
          [&](const auto& x) { return linear_logprob(x[0], in[1].to(dtype), {}, t, options); },
          [&](const auto& x) {
            return reference(std::vector<at::Tensor>{x[0], in[1]}, t);
          },
          {in[0]}, dtype, value_bound(u), gradient_bound(u));
    }
  }
}

TEST(LinearLogprob, KeepsNoGraphWhereNoneIsWanted) {
  const at::NoGradGuard no_grad;
  const at::Tensor hidden = at::ones({2, 4}).requires_grad_(true);
  EXPECT_FALSE(
      linear_logprob(hidden, at::ones({3, 4}), {}, at::zeros({2}, at::kLong)).requires_grad());
}

TEST(LinearLogprob, HugeLogitsStayFinite) {
  const at::Tensor hidden = at::full({1, 1}, 1e4f).requires_grad_(true);
  const at::Tensor weight = at::tensor({-1.f, 0.f, 1.f}).unsqueeze(1);
  const at::Tensor logprobs =
      linear_logprob(hidden.expand({3, 1}), weight, {}, at::arange(3, at::kLong));
  EXPECT_TRUE(at::equal(logprobs.detach(), at::tensor({-2e4f, -1e4f, 0.f})));
  logprobs.sum().backward();
  EXPECT_EQ(hidden.grad().item<float>(), -3.f);
}

TEST(LinearLogprob, TakesNoRows) {
  const at::Tensor hidden = at::ones({0, 4}).requires_grad_(true);
  const at::Tensor logprobs =
      linear_logprob(hidden, at::ones({3, 4}), {}, at::zeros({0}, at::kLong));
  EXPECT_EQ(logprobs.numel(), 0);
  logprobs.sum().backward();
  EXPECT_EQ(hidden.grad().sizes(), hidden.sizes());
}

TEST(LinearLogprob, RefusesWhatDoesNotFit) {
  const at::Tensor hidden = at::ones({2, 4}), weight = at::ones({3, 4});
  const at::Tensor zeros = at::zeros({2}, at::kLong);
  EXPECT_THROW(linear_logprob(hidden, at::ones({3, 5}), {}, zeros), ShapeError);
  EXPECT_THROW(linear_logprob(hidden, weight, at::ones({4}), zeros), ShapeError);
  EXPECT_THROW(linear_logprob(hidden, weight, {}, zeros.to(at::kInt)), ShapeError);
  EXPECT_THROW(linear_logprob(hidden, weight, {}, at::zeros({3}, at::kLong)), ShapeError);
  for (const std::int64_t wrong : {3, -100}) {
    const std::string message = test::message_of<DataError>([&] {
      linear_logprob(hidden, weight, {}, at::tensor({std::int64_t{1}, wrong}));
    });
    EXPECT_TRUE(test::contains(message, "of row 1 is outside the vocabulary [0, 3)"));
  }
}

}  // namespace
}  // namespace hone::kernels
