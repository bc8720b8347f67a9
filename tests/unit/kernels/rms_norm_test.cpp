#include "kernels/rms_norm/rms_norm.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/error.h"
#include "compare.h"
#include "support/support.h"

namespace hone::kernels {
namespace {

using test::Bound;

constexpr double kEps = 1e-5;

at::Tensor fused(const std::vector<at::Tensor>& in) { return rms_norm(in[0], in[1], kEps); }

at::Tensor composite(const std::vector<at::Tensor>& in) {
  return in[0] * at::rsqrt(in[0].square().mean(1, true) + kEps) * in[1];
}

// Two roundings of the value (normalised, scaled); the gradients are sums over a row or a column,
// and cancel to nothing where a row has one element.
void check(std::int64_t N, std::int64_t H, at::ScalarType dtype) {
  SCOPED_TRACE(fmt::format("N {} H {} {}", N, H, c10::toString(dtype)));
  const double u = test::unit_roundoff(dtype);
  const double sum = dtype == at::kFloat ? 8 * u : 0x1p-20;
  test::expect_like_reference(fused, composite,
                              {test::normal({N, H}, 1, dtype), test::normal({H}, 2, dtype)}, dtype,
                              Bound{2 * u + sum, 0}, Bound{2 * u, 2 * u + sum, sum});
}

TEST(RmsNorm, AgreesWithTheCompositeInDoublePrecision) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const auto& [N, H] : {std::pair{1, 1}, {1, 64}, {3, 7}, {33, 576}, {100, 65}})
      check(N, H, dtype);
}

TEST(RmsNorm, GradientsAgreeWithDifferences) {
  test::expect_gradients_like_differences(
      fused, {test::normal({5, 12}, 3, at::kDouble), test::normal({12}, 4, at::kDouble)});
}

TEST(RmsNorm, RoundsBeforeTheWeightAsTransformersDoes) {
  const at::Tensor x = test::normal({40, 96}, 5, at::kBFloat16).to(at::kBFloat16);
  const at::Tensor weight = test::normal({96}, 6, at::kBFloat16).to(at::kBFloat16);
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor normalised = wide * at::rsqrt(wide.square().mean(1, true) + kEps);
  const at::Tensor expected = normalised.to(at::kBFloat16) * weight;
  // Sums in another order may move a value across a border between two bf16 numbers: rarely.
  const double differing =
      rms_norm(x, weight, kEps).ne(expected).to(at::kFloat).mean().item<float>();
  EXPECT_LT(differing, 0.001);
}

TEST(RmsNorm, AppliesTheWeightAsTheFamilySays) {
  const RmsNormStyle gemma{.weight_offset = 1, .round_first = false};
  const auto fused_gemma = [&](const auto& in) { return rms_norm(in[0], in[1], kEps, gemma); };
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const double u = test::unit_roundoff(dtype);
    const double sum = dtype == at::kFloat ? 8 * u : 0x1p-20;
    test::expect_like_reference(
        fused_gemma,
        [](const auto& in) {
          return composite({in[0], in[1] + 1});
        },
        {test::normal({33, 96}, 1, dtype), test::normal({96}, 2, dtype)}, dtype, Bound{u + sum, 0},
        Bound{2 * u, 2 * u + sum, sum});  // one rounding of the value, not two
  }
  test::expect_gradients_like_differences(
      fused_gemma, {test::normal({5, 12}, 3, at::kDouble), test::normal({12}, 4, at::kDouble)});
}

TEST(RmsNorm, DoesNotDependOnTheNumberOfThreads) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    test::expect_same_bits_for_any_threads(fused, {test::normal({515, 96}, 7, dtype).to(dtype),
                                                   test::normal({96}, 8, dtype).to(dtype)});
}

TEST(RmsNorm, TakesStridedRows) {
  const at::Tensor wide = test::normal({9, 40}, 9, at::kFloat).to(at::kFloat);
  const at::Tensor weight = test::normal({16}, 10, at::kFloat).to(at::kFloat);
  const at::Tensor part = wide.slice(1, 8, 24);
  EXPECT_TRUE(at::equal(rms_norm(part, weight, kEps), rms_norm(part.contiguous(), weight, kEps)));
  const at::Tensor columns = wide.t().slice(1, 0, 9).slice(0, 0, 9);
  const at::Tensor weight9 = weight.slice(0, 0, 9);
  EXPECT_TRUE(
      at::equal(rms_norm(columns, weight9, kEps), rms_norm(columns.contiguous(), weight9, kEps)));
}

TEST(RmsNorm, TakesNoRows) {
  EXPECT_EQ(rms_norm(at::ones({0, 8}), at::ones({8}), kEps).numel(), 0);
}

TEST(RmsNorm, RefusesWhatDoesNotFit) {
  const std::string message = test::message_of<ShapeError>([] {
    rms_norm(at::ones({2, 8}), at::ones({7}), kEps);
  });
  EXPECT_TRUE(test::contains(message, "weight must have sizes [8]"));
  EXPECT_TRUE(test::contains(message, "got [7]"));
  EXPECT_THROW(rms_norm(at::ones({2, 8}), at::ones({8}, at::kBFloat16), kEps), ShapeError);
  EXPECT_THROW(rms_norm(at::ones({2, 8}, at::kLong), at::ones({8}, at::kLong), kEps), ShapeError);
  EXPECT_THROW(rms_norm(at::ones({8}), at::ones({8}), kEps), ShapeError);
}

}  // namespace
}  // namespace hone::kernels
