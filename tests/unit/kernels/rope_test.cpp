#include "kernels/rope/rope.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "base/error.h"
#include "compare.h"
#include "support/support.h"

namespace hone::kernels {
namespace {

using test::Bound;

struct Angles {
  at::Tensor cos, sin;
};

Angles angles(std::int64_t N, std::int64_t half, at::ScalarType dtype) {
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor frequency = at::pow(10000.0, -at::arange(half, f64) / half);
  const at::Tensor angle = at::outer(at::arange(N, f64), frequency);
  const at::ScalarType wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  return {angle.cos().to(wide), angle.sin().to(wide)};
}

/// q · cos + rotate_half(q) · sin, as modeling_llama.py states it.
at::Tensor composite(const at::Tensor& x, const Angles& a) {
  const std::int64_t half = a.cos.size(1);
  const at::Tensor cos = at::cat({a.cos, a.cos}, 1).unsqueeze(1).to(at::kDouble);
  const at::Tensor sin = at::cat({a.sin, a.sin}, 1).unsqueeze(1).to(at::kDouble);
  const at::Tensor turned = x.slice(2, 0, 2 * half);
  const at::Tensor rotated = at::cat({-x.slice(2, half, 2 * half), x.slice(2, 0, half)}, 2);
  return at::cat({turned * cos + rotated * sin, x.slice(2, 2 * half)}, 2);
}

void check(std::int64_t N, std::int64_t heads, std::int64_t head_dim, std::int64_t half,
           at::ScalarType dtype) {
  SCOPED_TRACE(fmt::format("N {} heads {} head_dim {} half {}", N, heads, head_dim, half));
  const Angles a = angles(N, half, dtype);
  const double u = test::unit_roundoff(dtype);
  // One rounding of the result; the two fp32 products may cancel.
  const Bound bound{u, 4 * 0x1p-24};
  test::expect_like_reference([&](const auto& in) { return rope(in[0], a.cos, a.sin); },
                              [&](const auto& in) { return composite(in[0], a); },
                              {test::normal({N, heads, head_dim}, 1, dtype)}, dtype, bound, bound);
}

TEST(Rope, AgreesWithTheCompositeInDoublePrecision) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    check(1, 1, 2, 1, dtype);
    check(5, 3, 16, 8, dtype);
    check(37, 9, 64, 32, dtype);
    check(8, 2, 80, 40, dtype);
    check(8, 2, 128, 64, dtype);
    check(8, 2, 80, 16, dtype);  // partial
  }
}

TEST(Rope, BackwardTurnsBack) {
  const Angles a = angles(6, 8, at::kDouble);
  const auto turn = [&](const std::vector<at::Tensor>& in) { return rope(in[0], a.cos, a.sin); };
  test::expect_gradients_like_differences(turn, {test::normal({6, 2, 16}, 2, at::kDouble)});
}

TEST(Rope, TakesPartsOfAFusedProjection) {
  const Angles a = angles(7, 8, at::kFloat);
  const at::Tensor fused = test::normal({7, 5 * 16}, 3, at::kFloat).to(at::kFloat);
  const at::Tensor heads = fused.slice(1, 16, 64).unflatten(1, {3, 16});
  const at::Tensor expected = rope(heads.contiguous(), a.cos, a.sin);
  EXPECT_TRUE(at::equal(rope(heads, a.cos, a.sin), expected));
  const at::Tensor by_head = heads.transpose(0, 1).contiguous().transpose(0, 1);
  EXPECT_TRUE(at::equal(rope(by_head, a.cos, a.sin), expected));
}

TEST(Rope, RefusesWhatDoesNotFit) {
  const Angles a = angles(4, 8, at::kFloat);
  EXPECT_THROW(rope(at::ones({3, 2, 16}), a.cos, a.sin), ShapeError);
  EXPECT_THROW(rope(at::ones({4, 2, 14}), a.cos, a.sin), ShapeError);
  const at::Tensor x = at::ones({4, 2, 16}, at::kBFloat16);
  const std::string message = test::message_of<ShapeError>(
      [&] { rope(x, a.cos.to(at::kBFloat16), a.sin.to(at::kBFloat16)); });
  EXPECT_TRUE(test::contains(message, "cos and sin must be Float"));
}

}  // namespace
}  // namespace hone::kernels
