#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "base/error.h"
#include "compare.h"
#include "kernels/attention/attention.h"
#include "support/support.h"

// Attention over documents that share their beginnings, against the same documents written out.

namespace hone::kernels {
namespace {

using test::Bound;
using Numbers = std::vector<std::int64_t>;

struct Case {
  Numbers cu_seqlens, prefix_of;
  std::int64_t heads, kv_heads, head_dim;
  std::int64_t window = 0;
  double softcap = 0;

  AttentionOptions options() const {
    return {1 / std::sqrt(static_cast<double>(head_dim)), window, softcap};
  }
};

std::vector<at::Tensor> inputs(const Case& c, at::ScalarType dtype) {
  const std::int64_t N = c.cu_seqlens.back();
  return {test::normal({N, c.heads, c.head_dim}, 1, dtype),
          test::normal({N, c.kv_heads, c.head_dim}, 2, dtype),
          test::normal({N, c.kv_heads, c.head_dim}, 3, dtype)};
}

at::Tensor shared(const std::vector<at::Tensor>& in, const Case& c) {
  return attention(in[0], in[1], in[2], c.cu_seqlens, c.options(), c.prefix_of);
}

/// The batch with each span's prefix repeated before it.
struct WrittenOut {
  Numbers tokens;  ///< of the shared batch
  Numbers cu_seqlens{0};
  Numbers own;  ///< rows of the longer batch that are a span's own
};
WrittenOut written_out(const Case& c) {
  WrittenOut result;
  const auto append = [&](std::int64_t span) {
    for (std::int64_t t = c.cu_seqlens.at(std::size_t(span));
         t < c.cu_seqlens.at(std::size_t(span) + 1); ++t)
      result.tokens.push_back(t);
  };
  for (std::int64_t d = 0; d < std::ssize(c.prefix_of); ++d) {
    if (c.prefix_of[std::size_t(d)] >= 0) append(c.prefix_of[std::size_t(d)]);
    const std::int64_t before = std::ssize(result.tokens);
    append(d);
    for (std::int64_t t = before; t < std::ssize(result.tokens); ++t) result.own.push_back(t);
    result.cu_seqlens.push_back(std::ssize(result.tokens));
  }
  return result;
}

at::Tensor one_by_one(const std::vector<at::Tensor>& in, const Case& c) {
  const WrittenOut documents = written_out(c);
  const at::Tensor tokens = at::tensor(documents.tokens, at::kLong);
  return attention(in[0].index_select(0, tokens), in[1].index_select(0, tokens),
                   in[2].index_select(0, tokens), documents.cu_seqlens, c.options())
      .index_select(0, at::tensor(documents.own, at::kLong));
}

const Numbers kPair = {-1, 0, 0};

// The bounds are those of attention_test.cpp.
void check(const Case& c, at::ScalarType dtype) {
  SCOPED_TRACE(fmt::format("N {} spans {} heads {}/{} head_dim {} window {} softcap {} {}",
                           c.cu_seqlens.back(), c.prefix_of.size(), c.heads, c.kv_heads, c.head_dim,
                           c.window, c.softcap, c10::toString(dtype)));
  const double u = test::unit_roundoff(dtype), wide = std::min(u, 0x1p-24);
  const Bound value{u + 16 * wide, 0, 64 * wide}, gradient{u + 16 * wide, 0, 256 * wide};
  test::expect_like_reference([&](const auto& in) { return shared(in, c); },
                              [&](const auto& in) { return one_by_one(in, c); }, inputs(c, dtype),
                              dtype, value, gradient);
}

TEST(SharedPrefix, IsTheDocumentsWrittenOut) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    check({{0, 1, 2, 3}, kPair, 1, 1, 16}, dtype);
    check({{0, 5, 9, 12}, kPair, 2, 1, 16}, dtype);
    check({{0, 16, 48, 49}, kPair, 3, 3, 5}, dtype);
    check({{0, 33, 80, 101}, kPair, 6, 2, 64}, dtype);
    check({{0, 7, 60, 63, 100, 130, 150}, {-1, -1, 1, 1, -1, 4}, 4, 1, 80}, dtype);
    check({{0, 40, 45, 70, 71, 130}, {-1, 0, 0, 0, 0}, 9, 3, 16}, dtype);
  }
}

TEST(SharedPrefix, AWindowCountsInTheDocument) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const std::int64_t window : {1, 2, 7, 24, 33, 64, 500}) {
      check({{0, 5, 9, 12}, kPair, 2, 1, 16, window}, dtype);
      check({{0, 33, 80, 101}, kPair, 6, 2, 64, window}, dtype);
      check({{0, 7, 60, 63, 100, 130, 150}, {-1, -1, 1, 1, -1, 4}, 4, 1, 16, window}, dtype);
    }
}

TEST(SharedPrefix, ASoftCapBoundsTheScores) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const std::int64_t window : {0, 9})
      check({{0, 20, 33, 60}, kPair, 4, 2, 16, window, 0.5}, dtype);
}

TEST(SharedPrefix, GradientsAgreeWithDifferences) {
  for (const Case& c : {Case{{0, 6, 9, 15}, kPair, 4, 2, 8},
                        Case{{0, 6, 12, 15, 20, 26}, {-1, -1, 1, 1, 1}, 4, 2, 8, 5, 1.5}})
    test::expect_gradients_like_differences([&](const auto& in) { return shared(in, c); },
                                            inputs(c, at::kDouble));
}

// A query's sums run over its document in order, wherever the document's tokens lie.
TEST(SharedPrefix, ValuesAreTheDocumentsBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Case c{{0, 50, 90, 161, 170}, {-1, 0, 0, -1}, 6, 2, 64};
    std::vector<at::Tensor> in;
    for (const at::Tensor& x : inputs(c, dtype)) in.push_back(x.to(dtype));
    EXPECT_TRUE(at::equal(shared(in, c), one_by_one(in, c)));
  }
}

TEST(SharedPrefix, SpansWithoutAPrefixAreDocumentsBitForBit) {
  const Case none{{0, 13, 14, 90, 161}, {}, 6, 2, 64};
  Case said = none;
  said.prefix_of = {-1, -1, -1, -1};
  std::vector<at::Tensor> in;
  for (const at::Tensor& x : inputs(none, at::kFloat)) in.push_back(x.to(at::kFloat));
  const auto loss_of = [](const Case& c) {
    return [c](const auto& x) { return shared(x, c).square().sum(); };
  };
  const auto one = test::value_and_gradients(loss_of(none), in);
  const auto other = test::value_and_gradients(loss_of(said), in);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], other[i]));
}

TEST(SharedPrefix, DoesNotDependOnTheNumberOfThreads) {
  const Case c{{0, 50, 90, 161, 170, 200, 231}, {-1, 0, 0, -1, 3, 3}, 6, 2, 64};
  std::vector<at::Tensor> in;
  for (const at::Tensor& x : inputs(c, at::kFloat)) in.push_back(x.to(at::kFloat));
  test::expect_same_bits_for_any_threads([&](const auto& x) { return shared(x, c); }, in);
}

TEST(SharedPrefix, RefusesPrefixesThatAreNotRightBefore) {
  const at::Tensor x = at::ones({6, 2, 8});
  for (const Numbers& wrong : {Numbers{-1},
                               {0, 0, 0},
                               {-1, 1, 0},
                               {-1, 0, 1},
                               {-1, -1, 0},
                               {-1, 0, -2},
                               {-1, 0, 3},
                               {-1, 0, 0, 0}})
    EXPECT_THROW(attention(x, x, x, {0, 2, 4, 6}, {.scale = 1}, wrong), ShapeError)
        << at::IntArrayRef(wrong);
  const std::string message = test::message_of<ShapeError>([&] {
    attention(x, x, x, {0, 2, 4, 6}, {.scale = 1}, {-1, -1, 0});
  });
  EXPECT_TRUE(test::contains(message, "span 2 may begin a document (-1) or go on from span 1"));
}

}  // namespace
}  // namespace hone::kernels
