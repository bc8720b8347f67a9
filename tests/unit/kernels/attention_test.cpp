#include "kernels/attention/attention.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "compare.h"
#include "support/support.h"

namespace hone::kernels {
namespace {

using test::Bound;
using Borders = std::vector<std::int64_t>;

struct Case {
  Borders cu_seqlens;
  std::int64_t heads, kv_heads, head_dim;
  std::int64_t window = 0;
  double softcap = 0;
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_dim)); }
};

std::vector<at::Tensor> inputs(const Case& c, at::ScalarType dtype) {
  const std::int64_t N = c.cu_seqlens.back();
  return {test::normal({N, c.heads, c.head_dim}, 1, dtype),
          test::normal({N, c.kv_heads, c.head_dim}, 2, dtype),
          test::normal({N, c.kv_heads, c.head_dim}, 3, dtype)};
}

at::Tensor fused(const std::vector<at::Tensor>& in, const Case& c) {
  return attention(in[0], in[1], in[2], c.cu_seqlens, {c.scale(), c.window, c.softcap});
}

/// One softmax over the whole batch, with everything masked that is later or of another document.
at::Tensor composite(const std::vector<at::Tensor>& in, const Case& c) {
  const std::int64_t N = c.cu_seqlens.back(), group = c.heads / c.kv_heads;
  const at::Tensor borders = at::tensor(Borders(c.cu_seqlens.begin() + 1, c.cu_seqlens.end()));
  const at::Tensor position = at::arange(N);
  const at::Tensor document = at::searchsorted(borders, position, false, true);
  const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);
  at::Tensor visible = document.unsqueeze(1).eq(document.unsqueeze(0)).logical_and(distance.ge(0));
  if (c.window > 0) visible = visible.logical_and(distance.lt(c.window));
  const at::Tensor q = in[0].transpose(0, 1);
  const at::Tensor k = in[1].repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor v = in[2].repeat_interleave(group, 1).transpose(0, 1);
  at::Tensor scores = at::matmul(q, k.transpose(1, 2)) * c.scale();
  if (c.softcap > 0) scores = at::tanh(scores / c.softcap) * c.softcap;
  const double never = -std::numeric_limits<double>::infinity();
  const at::Tensor weights = at::softmax(scores.masked_fill(visible.logical_not(), never), 2);
  return at::matmul(weights, v).transpose(0, 1);
}

// In fp32 a weight is as wrong as its score (up to 6, summed from head_dim products), and results
// are sums of numbers of size 1 with such weights; bf16 rounds each result once more. The first
// key of a document has a gradient from every query of its group: of up to 600 terms.
void check(const Case& c, at::ScalarType dtype) {
  SCOPED_TRACE(fmt::format("N {} documents {} heads {}/{} head_dim {} window {} softcap {} {}",
                           c.cu_seqlens.back(), c.cu_seqlens.size() - 1, c.heads, c.kv_heads,
                           c.head_dim, c.window, c.softcap, c10::toString(dtype)));
  const double u = test::unit_roundoff(dtype), wide = std::min(u, 0x1p-24);
  const Bound value{u + 16 * wide, 0, 64 * wide}, gradient{u + 16 * wide, 0, 256 * wide};
  test::expect_like_reference([&](const auto& in) { return fused(in, c); },
                              [&](const auto& in) { return composite(in, c); }, inputs(c, dtype),
                              dtype, value, gradient);
}

TEST(Attention, AgreesWithTheCompositeInDoublePrecision) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    check({{0, 1}, 1, 1, 16}, dtype);
    check({{0, 5}, 2, 1, 16}, dtype);
    check({{0, 1, 2, 9}, 3, 3, 16}, dtype);
    check({{0, 33, 34, 81}, 6, 2, 64}, dtype);
    check({{0, 64, 128}, 4, 1, 80}, dtype);
    check({{0, 17, 200}, 9, 3, 64}, dtype);
    check({{0, 200}, 2, 2, 128}, dtype);
    check({{0, 7, 40}, 2, 1, 5}, dtype);
  }
}

TEST(Attention, AWindowHidesWhatLiesBeforeIt) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const std::int64_t window : {1, 2, 7, 24, 33, 64, 500}) {
      check({{0, 1, 2, 9}, 3, 3, 16, window}, dtype);
      check({{0, 33, 34, 81}, 6, 2, 64, window}, dtype);
      check({{0, 17, 200}, 4, 1, 16, window}, dtype);
    }
}

TEST(Attention, ASoftCapBoundsTheScores) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const std::int64_t window : {0, 9}) {
      check({{0, 5, 60}, 4, 2, 16, window, 0.5}, dtype);
      check({{0, 5, 60}, 4, 2, 64, window, 50}, dtype);
    }
}

TEST(Attention, GradientsAgreeWithDifferences) {
  for (const Case& c : {Case{{0, 3, 4, 11}, 4, 2, 8}, Case{{0, 3, 4, 20}, 4, 2, 8, 5, 1.5}})
    test::expect_gradients_like_differences([&](const auto& in) { return fused(in, c); },
                                            inputs(c, at::kDouble));
}

TEST(Attention, PackedIsEachDocumentAloneBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Case packed{{0, 13, 14, 90, 161}, 6, 2, 64};
    std::vector<at::Tensor> in;
    for (const at::Tensor& x : inputs(packed, dtype)) in.push_back(x.to(dtype));
    const auto loss_of = [](const Case& c) {
      return [c](const auto& x) { return fused(x, c).square().sum(); };
    };
    const at::Tensor out = fused(in, packed);
    const std::vector<at::Tensor> together = test::value_and_gradients(loss_of(packed), in);
    for (std::size_t d = 0; d + 1 < packed.cu_seqlens.size(); ++d) {
      const std::int64_t first = packed.cu_seqlens[d], last = packed.cu_seqlens[d + 1];
      const Case alone{{0, last - first}, 6, 2, 64};
      std::vector<at::Tensor> part;
      for (const at::Tensor& x : in) part.push_back(x.slice(0, first, last).contiguous());
      EXPECT_TRUE(at::equal(fused(part, alone), out.slice(0, first, last)));
      const std::vector<at::Tensor> separate = test::value_and_gradients(loss_of(alone), part);
      for (std::size_t i = 1; i < separate.size(); ++i)
        EXPECT_TRUE(at::equal(separate[i], together[i].slice(0, first, last)));
    }
  }
}

TEST(Attention, DoesNotDependOnTheNumberOfThreads) {
  const Case c{{0, 13, 14, 90, 161}, 6, 2, 64};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    std::vector<at::Tensor> in;
    for (const at::Tensor& x : inputs(c, dtype)) in.push_back(x.to(dtype));
    test::expect_same_bits_for_any_threads([&](const auto& x) { return fused(x, c); }, in);
  }
}

TEST(Attention, TakesPartsOfAFusedProjection) {
  const Case c{{0, 9, 30}, 4, 2, 16};
  const at::Tensor qkv = test::normal({30, 8, 16}, 4, at::kFloat).to(at::kFloat);
  const at::Tensor q = qkv.slice(1, 0, 4), k = qkv.slice(1, 4, 6), v = qkv.slice(1, 6, 8);
  EXPECT_TRUE(
      at::equal(fused({q, k, v}, c), fused({q.contiguous(), k.contiguous(), v.contiguous()}, c)));
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const at::Tensor q = at::ones({4, 4, 8}), k = at::ones({4, 2, 8});
  EXPECT_THROW(attention(q, at::ones({4, 3, 8}), at::ones({4, 3, 8}), {0, 4}, {.scale = 1}),
               ShapeError);
  EXPECT_THROW(attention(q, k, at::ones({4, 2, 7}), {0, 4}, {.scale = 1}), ShapeError);
  EXPECT_THROW(attention(q, k, k.to(at::kBFloat16), {0, 4}, {.scale = 1}), ShapeError);
  for (const Borders& wrong : {Borders{}, {0}, {0, 3}, {1, 4}, {0, 5}, {0, 2, 2, 4}, {0, 3, 2, 4}})
    EXPECT_THROW(attention(q, k, k, wrong, {.scale = 1}), ShapeError);
  EXPECT_THROW(attention(q, k, k, {0, 4}, {.scale = 1, .window = -1}), ShapeError);
  const std::string message = test::message_of<ShapeError>([&] {
    attention(q, k, k, {0, 3, 2, 4}, {.scale = 1});
  });
  EXPECT_TRUE(test::contains(message, "border 1 is 3 and the next 2"));
}

}  // namespace
}  // namespace hone::kernels
