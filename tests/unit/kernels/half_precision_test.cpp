#include <gtest/gtest.h>
#include <torch/types.h>

#include <bit>
#include <cmath>
#include <limits>

#include "compare.h"
#include "kernels/attention/attention.h"
#include "kernels/dropout/dropout.h"
#include "kernels/glu/glu.h"
#include "kernels/linear_logprob/linear_logprob.h"
#include "kernels/number.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"

// fp16 as the kernels store it: its two conversions against LibTorch's own, and every operation
// against itself in fp64, which its own test holds against a composite.

namespace hone::kernels {
namespace {

using test::Bound;
using test::normal;

constexpr double kUnit = 0x1p-11;  // one rounding to fp16
// Below 2^-14 numbers lie 2^-24 apart, and a rounding is off by half of that.
constexpr double kSubnormal = 0x1p-25;

TEST(Fp16, EveryNumberIsWidenedExactly) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float expected = c10::Half(half, c10::Half::from_bits());
    const float got = widen(Fp16{half});
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(got)) << bits;
    else
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(expected)) << bits;
  }
}

void expect_rounded_alike(float value) {
  const std::uint16_t expected = c10::Half(value).x, got = narrow<Fp16>(value).bits;
  if (std::isnan(value))
    EXPECT_TRUE(std::isnan(widen(Fp16{got})));
  else
    EXPECT_EQ(got, expected) << value;
}

// Every number of fp16, every middle between two, and what lies one fp32 beside them.
TEST(Fp16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const float here = widen(Fp16{static_cast<std::uint16_t>(bits)});
    const float next = bits + 1 == 0x7C00 ? 65536.0f : widen(Fp16{std::uint16_t(bits + 1)});
    for (const float value : {here, here + (next - here) / 2})
      for (const float near : {value, std::nextafter(value, 0.0f), std::nextafter(value, 1e9f)})
        for (const float sign : {1.0f, -1.0f}) expect_rounded_alike(sign * near);
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {1e5f, -3e38f, kInfinity, -kInfinity, std::nanf(""), 1e-40f, -0.0f})
    expect_rounded_alike(value);
}

/// The operation in fp16 against itself in fp64.
void expect_like_itself(const test::TensorFunction& operation,
                        const std::vector<at::Tensor>& inputs, double roundings, double sums = 0) {
  const Bound bound{roundings * kUnit, (roundings + sums) * kUnit, kSubnormal};
  test::expect_like_reference(operation, operation, inputs, at::kHalf, bound, bound);
}

TEST(HalfPrecision, EveryOperationTakesIt) {
  const auto x = [](at::IntArrayRef sizes, std::uint64_t seed) {
    return normal(sizes, seed, at::kHalf);
  };
  expect_like_itself([](const auto& in) { return rms_norm(in[0], in[1], 1e-5); },
                     {x({33, 96}, 1), x({96}, 2)}, 3);
  expect_like_itself([](const auto& in) { return glu(in[0], in[1]); },
                     {x({9, 70}, 3), x({9, 70}, 4)}, 2);
  expect_like_itself([](const auto& in) { return dropout(in[0], 0.25, {.seed = 5, .step = 2}); },
                     {x({9, 70}, 5)}, 2);
  expect_like_itself(
      [](const auto& in) {
        return attention(in[0], in[1], in[2], {0, 13, 40}, {.scale = 0.25});
      },
      {x({40, 4, 16}, 6), x({40, 2, 16}, 7), x({40, 2, 16}, 8)}, 3);
  const at::Tensor angles = normal({40, 8}, 9, at::kDouble);
  expect_like_itself(
      [&](const auto& in) {
        const at::ScalarType wide = in[0].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        return rope(in[0], angles.cos().to(wide), angles.sin().to(wide));
      },
      {x({40, 4, 16}, 10)}, 2);
  const at::Tensor targets = at::arange(20, at::kLong);
  expect_like_itself([&](const auto& in) { return linear_logprob(in[0], in[1], in[2], targets); },
                     {x({20, 12}, 11), x({30, 12}, 12) * 0.25, x({30}, 13)}, 4, 12);
}

TEST(HalfPrecision, DoesNotDependOnTheNumberOfThreads) {
  const auto half = [](at::IntArrayRef sizes, std::uint64_t seed) {
    return normal(sizes, seed, at::kHalf).to(at::kHalf);
  };
  test::expect_same_bits_for_any_threads(
      [](const auto& in) { return rms_norm(in[0], in[1], 1e-5); },
      {half({515, 96}, 7), half({96}, 8)});
}

// Sums are kept in fp32: these squares are beyond what fp16 can hold.
TEST(HalfPrecision, SumsDoNotOverflow) {
  const at::Tensor x = at::full({4, 512}, 3000.0, at::kHalf);
  const at::Tensor y = rms_norm(x, at::ones({512}, at::kHalf), 1e-5);
  EXPECT_TRUE(y.eq(1).all().item<bool>());
}

}  // namespace
}  // namespace hone::kernels
