#include "kernels/elementary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hone::kernels {
namespace {

TEST(Exponential, IsWithinTwoUlpOfExp) {
  double worst = 0;
  for (double x = -87.3; x <= 88.3; x += 0.00037) {
    const float argument = static_cast<float>(x);
    const double exact = std::exp(static_cast<double>(argument));
    const float rounded = static_cast<float>(exact);
    const double ulp = std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded;
    worst = std::max(worst, std::abs(static_cast<double>(exponential(argument)) - exact) / ulp);
  }
  EXPECT_LT(worst, 2.0);
  EXPECT_GT(worst, 0.4);
}

TEST(Exponential, IsDefinedEverywhere) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_EQ(exponential(-kInfinity), 0.0f);
  EXPECT_EQ(exponential(-88.0f), 0.0f);
  EXPECT_EQ(exponential(kInfinity), kInfinity);
  EXPECT_EQ(exponential(89.0f), kInfinity);
  EXPECT_GT(exponential(88.3f), 2e38f);
  EXPECT_TRUE(std::isnan(exponential(std::nanf(""))));
}

TEST(HyperbolicTangent, IsWithinFourUlp) {
  double worst = 0;
  for (double x = -12; x <= 12; x += 0.000091) {
    const float argument = static_cast<float>(x);
    const double exact = std::tanh(static_cast<double>(argument));
    const float size = std::abs(static_cast<float>(exact));
    const double ulp = std::nextafter(size, 2.0f) - size;
    worst =
        std::max(worst, std::abs(static_cast<double>(hyperbolic_tangent(argument)) - exact) / ulp);
  }
  EXPECT_LT(worst, 4.0);
  EXPECT_GT(worst, 0.4);
}

TEST(HyperbolicTangent, IsDefinedEverywhere) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(hyperbolic_tangent(0.0f), 0.0f);
  EXPECT_EQ(hyperbolic_tangent(kInfinity), 1.0f);
  EXPECT_EQ(hyperbolic_tangent(-kInfinity), -1.0f);
  EXPECT_EQ(hyperbolic_tangent(1e-30f), 1e-30f);
  EXPECT_TRUE(std::isnan(hyperbolic_tangent(std::nanf(""))));
}

TEST(Bf16, RoundsToNearestEvenAsTheDefinitionSays) {
  const auto round_trip = [](float value) { return widen(narrow<Bf16>(value)); };
  EXPECT_EQ(round_trip(1.0f), 1.0f);
  EXPECT_EQ(round_trip(1.0f + 0x1p-8f), 1.0f);            // half way: to even
  EXPECT_EQ(round_trip(1.0f + 0x3p-8f), 1.0f + 0x2p-7f);  // half way: to even, upwards
  EXPECT_EQ(round_trip(1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);
  EXPECT_EQ(round_trip(-1.0f - 0x1p-8f - 0x1p-20f), -1.0f - 0x1p-7f);
  EXPECT_EQ(round_trip(std::numeric_limits<float>::infinity()),
            std::numeric_limits<float>::infinity());
  EXPECT_EQ(round_trip(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(round_trip(std::bit_cast<float>(0x7F800001u))));
}

}  // namespace
}  // namespace hone::kernels
