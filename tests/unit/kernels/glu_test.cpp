#include "kernels/glu/glu.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "compare.h"

namespace hone::kernels {
namespace {

using test::Bound;

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

Function fused(Activation activation) {
  return [activation](const auto& in) { return glu(in[0], in[1], activation); };
}

Function composite(Activation activation) {
  return [activation](const auto& in) {
    const at::Tensor& z = in[0];
    if (activation == Activation::kSilu) return at::silu(z) * in[1];
    // at::gelu(z, "tanh") cancels far to the left: there (1 + tanh u) / 2 is σ(2u) to fewer digits.
    return z * at::sigmoid(2 * std::sqrt(2 / M_PI) * (z + 0.044715 * z.pow(3))) * in[1];
  };
}

constexpr Activation kAll[] = {Activation::kSilu, Activation::kGeluTanh};

TEST(Glu, AgreesWithTheCompositeInDoublePrecision) {
  for (const Activation activation : kAll)
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
      for (const auto& [N, I] : {std::pair{1, 1}, {1, 33}, {17, 1536}, {64, 7}}) {
        const double u = test::unit_roundoff(dtype);
        const double f32 = 0x1p-24;  // the arithmetic between: e^x is good to 2 ulp
        // Beyond e^88 fp32's e^x is infinite, so that what lies below 1e-36 becomes 0.
        // Four roundings of gelu's argument of e^x, which counts up to 88, are that many of the
        // result.
        const double in_exponent = activation == Activation::kGeluTanh ? 4 * 88 * f32 : 0;
        test::expect_like_reference(
            fused(activation), composite(activation),
            {4 * test::normal({N, I}, 1, dtype), test::normal({N, I}, 2, dtype)}, dtype,
            Bound{u + 8 * f32 + in_exponent, 0, 1e-36},
            Bound{u + 8 * f32 + in_exponent, 4 * f32 + in_exponent});
      }
}

TEST(Glu, GeluIsTorchsOwn) {
  const at::Tensor z = at::linspace(-4, 4, 801, at::kDouble).unsqueeze(0);
  const at::Tensor got = glu(z, at::ones_like(z), Activation::kGeluTanh);
  EXPECT_LT((got - at::gelu(z, "tanh")).abs().max().item<double>(), 1e-15);
}

TEST(Glu, GradientsAgreeWithDifferences) {
  for (const Activation activation : kAll)
    test::expect_gradients_like_differences(
        fused(activation),
        {test::normal({3, 9}, 3, at::kDouble), test::normal({3, 9}, 4, at::kDouble)});
}

TEST(Glu, StaysFiniteForLargeGates) {
  const at::Tensor gate = at::tensor({-3e38f, -1000.f, -90.f, -88.f, 0.f, 88.f, 1000.f, 3e38f});
  for (const Activation activation : kAll) {
    const at::Tensor leaf = gate.unsqueeze(0).clone().requires_grad_(true);
    const at::Tensor y = glu(leaf, at::ones({1, 8}), activation);
    y.sum().backward();
    EXPECT_TRUE(at::isfinite(y).all().item<bool>());
    EXPECT_TRUE(at::isfinite(leaf.grad()).all().item<bool>());
    EXPECT_LT(y[0].slice(0, 0, 4).abs().max().item<float>(), 1e-30f);
    EXPECT_EQ(y[0][6].item<float>(), 1000.f);
    EXPECT_EQ(leaf.grad()[0][6].item<float>(), 1.f);
  }
}

TEST(Glu, TakesHalvesOfOneProjection) {
  const at::Tensor both = test::normal({11, 50}, 5, at::kFloat).to(at::kFloat);
  const at::Tensor gate = both.slice(1, 0, 25), up = both.slice(1, 25);
  EXPECT_TRUE(at::equal(glu(gate, up), glu(gate.contiguous(), up.contiguous())));
}

TEST(Glu, KeepsNan) {
  const at::Tensor gate = at::full({1, 3}, std::nan("")).to(at::kBFloat16);
  for (const Activation activation : kAll)
    EXPECT_TRUE(at::isnan(glu(gate, at::ones_like(gate), activation)).all().item<bool>());
}

TEST(Glu, RefusesWhatDoesNotFit) {
  EXPECT_THROW(glu(at::ones({2, 3}), at::ones({2, 4})), ShapeError);
  EXPECT_THROW(glu(at::ones({2, 3}), at::ones({2, 3}, at::kDouble)), ShapeError);
}

TEST(Glu, SecondDerivativesAreRefused) {
  const at::Tensor x = at::ones({2, 3}).requires_grad_(true);
  const at::Tensor y = glu(x, at::ones({2, 3})).sum();
  EXPECT_THROW(y.backward({}, std::nullopt, true), Error);
}

}  // namespace
}  // namespace hone::kernels
