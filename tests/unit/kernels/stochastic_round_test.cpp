#include "kernels/stochastic_round/stochastic_round.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "kernels/stochastic_round/arithmetic.h"

namespace hone::kernels {
namespace {

at::Tensor rounded(const at::Tensor& x, const RoundingKey& key, std::int64_t first = 0) {
  const at::Tensor y = at::empty(x.sizes(), x.options().dtype(at::kBFloat16));
  round_stochastically(x, y, key, first);
  return y;
}

at::Tensor numbers(std::int64_t size) {
  torch::manual_seed(3);
  return torch::randn({size}) * torch::exp(torch::randn({size}) * 5);
}

// Over all 65536 values that the random bits can have, exactly the share that they are worth goes
// up: the mean is x itself, in closed form, whatever the binade and the sign.
TEST(StochasticRound, TheMeanOverAllBitsIsTheNumber) {
  for (const float x : {1.0f, 1.00001f, 1.99999f, -0.3f, 3.1415926f, 1e-30f, -7e-40f, 2.5e37f}) {
    double sum = 0;
    std::set<float> seen;
    for (std::uint32_t random = 0; random < 65536; ++random) {
      const float y = widen(rounded_by_chance(x, random));
      sum += double(y);
      seen.insert(y);
    }
    EXPECT_EQ(sum / 65536, double(x));
    EXPECT_LE(seen.size(), 2u) << x;
  }
}

TEST(StochasticRound, KeepsWhatFitsAndWhatIsNoNumber) {
  const float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::uint32_t random : {0u, 1u, 32768u, 65535u}) {
    for (const float x : {0.0f, -0.0f, 1.0f, -1.5f, 0x1p-130f, kInfinity, -kInfinity}) {
      const float y = widen(rounded_by_chance(x, random));
      EXPECT_EQ(std::bit_cast<std::uint32_t>(y), std::bit_cast<std::uint32_t>(x)) << x;
    }
    EXPECT_TRUE(std::isnan(widen(rounded_by_chance(std::nanf(""), random))));
  }
}

// Many draws of one number: the mean is off by what chance allows. Its standard deviation after n
// draws is ulp · √(p(1 − p) / n).
TEST(StochasticRound, IsUnbiasedOverManyDraws) {
  constexpr std::int64_t kDraws = 1 << 20;
  for (const double p : {0.001, 0.25, 0.5, 0.9}) {
    const float x = 1.0f + float(p * 0x1p-7);  // bf16 knows 1 and 1 + 2^-7
    const at::Tensor y = rounded(at::full({kDraws}, x), {.seed = 11, .step = 5, .tensor = 2});
    const double up = y.to(at::kDouble).sub(1.0).mul(0x1p7).mean().item<double>();
    const double exact = (double(x) - 1.0) * 0x1p7;
    EXPECT_NEAR(up, exact, 5 * std::sqrt(p * (1 - p) / kDraws)) << p;
  }
}

// No part of the bits is more likely than another, and neighbours know nothing of each other.
TEST(StochasticRound, NeighboursAreIndependent) {
  constexpr std::int64_t kDraws = 1 << 20;
  const at::Tensor up =
      rounded(at::full({kDraws}, 1.0f + 0x1p-8f), {.seed = 1}).gt(1).to(at::kDouble);
  for (const std::int64_t distance : {1, 2, 255, 256, 257, 1024, 2048}) {
    const double both =
        (up.narrow(0, 0, kDraws - distance) * up.narrow(0, distance, kDraws - distance))
            .mean()
            .item<double>();
    // A product shares a factor with two others: 3/16 and twice 1/16 of variance.
    EXPECT_NEAR(both, 0.25, 5 * std::sqrt(0.3125 / kDraws)) << distance;
  }
}

TEST(StochasticRound, IsTheSameForAnyPortionsAndNumberOfThreads) {
  const int threads = at::get_num_threads();
  const at::Tensor x = numbers(9 * kRoundingPortion + 77);
  const RoundingKey key{.seed = 9, .step = 123, .tensor = 4};
  at::set_num_threads(1);
  const at::Tensor whole = rounded(x, key);
  at::set_num_threads(4);
  EXPECT_TRUE(rounded(x, key).equal(whole));
  at::set_num_threads(threads);
  for (std::int64_t first = 0; first < x.numel(); first += 2 * kRoundingPortion) {
    const at::Tensor part = x.slice(0, first, first + 2 * kRoundingPortion).contiguous();
    EXPECT_TRUE(rounded(part, key, first).equal(whole.slice(0, first, first + part.numel())));
  }
}

TEST(StochasticRound, DependsOnSeedStepAndTensor) {
  const at::Tensor x = numbers(5000);
  const at::Tensor one = rounded(x, {.seed = 1, .step = 1, .tensor = 1});
  EXPECT_TRUE(rounded(x, {.seed = 1, .step = 1, .tensor = 1}).equal(one));
  for (const RoundingKey& other :
       {RoundingKey{2, 1, 1}, RoundingKey{1, 2, 1}, RoundingKey{1, 1, 2}})
    EXPECT_GT(rounded(x, other).ne(one).sum().item<std::int64_t>(), 1000);
}

TEST(StochasticRound, RefusesWhatDoesNotFit) {
  const at::Tensor x = at::zeros({4});
  EXPECT_THROW(round_stochastically(x, at::zeros({3}, at::kBFloat16), {}), ShapeError);
  EXPECT_THROW(round_stochastically(x, at::zeros({4}), {}), ShapeError);
  EXPECT_THROW(rounded(x, {}, 5), ShapeError);
  EXPECT_THROW(rounded(x, {.tensor = 1u << 24}), ShapeError);
}

}  // namespace
}  // namespace hone::kernels
