#include "kernels/swiglu/swiglu.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/error.h"
#include "compare.h"

namespace hone::kernels {
namespace {

using test::Bound;

at::Tensor fused(const std::vector<at::Tensor>& in) { return swiglu(in[0], in[1]); }

at::Tensor composite(const std::vector<at::Tensor>& in) { return at::silu(in[0]) * in[1]; }

TEST(Swiglu, AgreesWithTheCompositeInDoublePrecision) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const auto& [N, I] : {std::pair{1, 1}, {1, 33}, {17, 1536}, {64, 7}}) {
      const double u = test::unit_roundoff(dtype);
      const double f32 = 0x1p-24;  // the arithmetic between: e^x is good to 2 ulp
      test::expect_like_reference(
          fused, composite, {4 * test::normal({N, I}, 1, dtype), test::normal({N, I}, 2, dtype)},
          dtype, Bound{u + 8 * f32, 0}, Bound{u + 8 * f32, 4 * f32});
    }
}

TEST(Swiglu, GradientsAgreeWithDifferences) {
  test::expect_gradients_like_differences(
      fused, {test::normal({3, 9}, 3, at::kDouble), test::normal({3, 9}, 4, at::kDouble)});
}

TEST(Swiglu, StaysFiniteForLargeGates) {
  const at::Tensor gate = at::tensor({-3e38f, -1000.f, -90.f, -88.f, 0.f, 88.f, 1000.f, 3e38f});
  const at::Tensor leaf = gate.unsqueeze(0).requires_grad_(true);
  const at::Tensor y = swiglu(leaf, at::ones({1, 8}));
  y.sum().backward();
  EXPECT_TRUE(at::isfinite(y).all().item<bool>());
  EXPECT_TRUE(at::isfinite(leaf.grad()).all().item<bool>());
  EXPECT_LT(y[0].slice(0, 0, 4).abs().max().item<float>(), 1e-30f);
  EXPECT_EQ(y[0][6].item<float>(), 1000.f);
}

TEST(Swiglu, TakesHalvesOfOneProjection) {
  const at::Tensor both = test::normal({11, 50}, 5, at::kFloat).to(at::kFloat);
  const at::Tensor gate = both.slice(1, 0, 25), up = both.slice(1, 25);
  EXPECT_TRUE(at::equal(swiglu(gate, up), swiglu(gate.contiguous(), up.contiguous())));
}

TEST(Swiglu, KeepsNan) {
  const at::Tensor gate = at::full({1, 3}, std::nan("")).to(at::kBFloat16);
  EXPECT_TRUE(at::isnan(swiglu(gate, at::ones_like(gate))).all().item<bool>());
}

TEST(Swiglu, RefusesWhatDoesNotFit) {
  EXPECT_THROW(swiglu(at::ones({2, 3}), at::ones({2, 4})), ShapeError);
  EXPECT_THROW(swiglu(at::ones({2, 3}), at::ones({2, 3}, at::kDouble)), ShapeError);
}

TEST(Swiglu, SecondDerivativesAreRefused) {
  const at::Tensor x = at::ones({2, 3}).requires_grad_(true);
  const at::Tensor y = swiglu(x, at::ones({2, 3})).sum();
  EXPECT_THROW(y.backward({}, std::nullopt, true), Error);
}

}  // namespace
}  // namespace hone::kernels
