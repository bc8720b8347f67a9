#include "kernels/dropout/dropout.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "base/error.h"
#include "compare.h"

namespace hone::kernels {
namespace {

const DropoutKey kKey{.seed = 7, .step = 11, .site = 3, .first_row = 0};

at::Tensor mask(std::int64_t N, std::int64_t H, double p, const DropoutKey& key) {
  return dropout(at::ones({N, H}), p, key).ne(0);
}

TEST(Dropout, DropsItsShareAndScalesTheRest) {
  const std::int64_t N = 500, H = 401;
  for (const double p : {0.05, 0.3, 0.9}) {
    const at::Tensor y = dropout(at::ones({N, H}), p, kKey);
    const at::Tensor kept = y.masked_select(y.ne(0));
    EXPECT_TRUE(kept.eq(static_cast<float>(1 / (1 - static_cast<float>(p)))).all().item<bool>());
    const double share = static_cast<double>(kept.numel()) / static_cast<double>(N * H);
    EXPECT_NEAR(share, 1 - p, 4 * std::sqrt(p * (1 - p) / static_cast<double>(N * H)));
  }
}

TEST(Dropout, NeighboursAreIndependent) {
  const at::Tensor kept = mask(600, 400, 0.5, kKey).to(at::kDouble) - 0.5;
  const double tolerance = 4 * 0.25 / std::sqrt(600.0 * 400);
  for (const auto& [rows, columns] :
       {std::pair{1, 0}, {0, 1}, {0, 4}, {0, 100}, {0, 200}, {4, 0}}) {
    const at::Tensor here = kept.slice(0, rows).slice(1, columns);
    const at::Tensor there = kept.slice(0, 0, 600 - rows).slice(1, 0, 400 - columns);
    EXPECT_NEAR((here * there).mean().item<double>(), 0, 1.5 * tolerance) << rows << " " << columns;
  }
}

TEST(Dropout, EveryPartOfTheKeyCounts) {
  const at::Tensor first = mask(20, 50, 0.5, kKey);
  EXPECT_TRUE(at::equal(first, mask(20, 50, 0.5, kKey)));
  for (const DropoutKey& other : {DropoutKey{8, 11, 3, 0}, DropoutKey{7, 12, 3, 0},
                                  DropoutKey{7, 11, 4, 0}, DropoutKey{7, 11, 3, 20}}) {
    const double same = first.eq(mask(20, 50, 0.5, other)).to(at::kFloat).mean().item<float>();
    EXPECT_NEAR(same, 0.5, 0.08);
  }
}

TEST(Dropout, AStepCutIntoMicroBatchesHasTheSameMask) {
  for (const std::int64_t H : {1, 3, 64, 577}) {
    const at::Tensor whole = mask(30, H, 0.5, kKey);
    DropoutKey later = kKey;
    later.first_row = 13;
    EXPECT_TRUE(at::equal(whole.slice(0, 13), mask(17, H, 0.5, later)));
  }
}

TEST(Dropout, BackwardUsesTheSameMask) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor x = at::ones({13, 70}, dtype).requires_grad_(true);
    const at::Tensor y = dropout(x, 0.4, kKey);
    y.sum().backward();
    EXPECT_TRUE(at::equal(x.grad(), y.detach()));
    EXPECT_TRUE(at::equal(y.detach().ne(0), mask(13, 70, 0.4, kKey)));
  }
}

TEST(Dropout, AgreesWithTheMaskInDoublePrecision) {
  const at::Tensor scaled = mask(9, 31, 0.25, kKey).to(at::kDouble) / 0.75;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const test::Bound bound{test::unit_roundoff(dtype) + 0x1p-23, 0};
    test::expect_like_reference([](const auto& in) { return dropout(in[0], 0.25, kKey); },
                                [&](const auto& in) { return in[0] * scaled; },
                                {test::normal({9, 31}, 1, dtype)}, dtype, bound, bound);
  }
}

TEST(Dropout, DoesNotDependOnTheNumberOfThreads) {
  test::expect_same_bits_for_any_threads([](const auto& in) { return dropout(in[0], 0.3, kKey); },
                                         {at::ones({311, 129})});
}

TEST(Dropout, NothingIsDroppedForZero) {
  const at::Tensor x = at::ones({2, 3});
  EXPECT_TRUE(dropout(x, 0, kKey).is_same(x));
}

TEST(Dropout, RefusesWhatIsOutOfRange) {
  const at::Tensor x = at::ones({2, 3});
  EXPECT_THROW(dropout(x, 1, kKey), ShapeError);
  EXPECT_THROW(dropout(x, -0.1, kKey), ShapeError);
  EXPECT_THROW(dropout(x, 0.1, {.step = std::uint64_t{1} << 56}), ShapeError);
  EXPECT_THROW(dropout(x, 0.1, {.site = 1u << 24}), ShapeError);
  EXPECT_THROW(dropout(x, 0.1, {.first_row = std::uint64_t{1} << 40}), ShapeError);
}

}  // namespace
}  // namespace hone::kernels
