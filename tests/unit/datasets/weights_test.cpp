#include "datasets/weights.h"

#include <gtest/gtest.h>

namespace hone::datasets {
namespace {

using Ranges = std::vector<tokenizer::TextRange>;

std::vector<WeighedRange> trained_on(const Ranges& ranges) {
  std::vector<WeighedRange> weighed;
  for (const tokenizer::TextRange& range : ranges) weighed.push_back({range});
  return weighed;
}

TEST(TokenWeights, AreOneInsideTrainedRangesOnly) {
  const Ranges tokens = {{0, 4}, {4, 5}, {5, 9}, {9, 10}, {10, 12}, {12, 20}, {20, 21}};
  const auto trained = trained_on({{5, 10}, {12, 20}});
  const TokenWeights result = weigh_tokens(tokens, trained, 0.25f);
  EXPECT_EQ(result.weights, (std::vector<float>{0.25f, 0.25f, 1, 1, 0.25f, 1, 0.25f}));
  EXPECT_EQ(result.straddling_tokens, 0);
}

TEST(TokenWeights, CountTokensThatStraddleABorderAsPrompt) {
  // Over the beginning, over the end, over a whole range, and from one range into the next.
  const auto trained = trained_on({{10, 20}, {30, 32}, {40, 45}, {45, 50}});
  EXPECT_EQ(weigh_tokens(Ranges{{8, 11}, {11, 19}, {19, 21}}, trained, 0).weights,
            (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(weigh_tokens(Ranges{{8, 11}, {11, 19}, {19, 21}}, trained, 0).straddling_tokens, 2);
  EXPECT_EQ(weigh_tokens(Ranges{{29, 33}}, trained, 0).straddling_tokens, 1);
  EXPECT_EQ(weigh_tokens(Ranges{{44, 46}}, trained, 0).straddling_tokens, 1);
}

TEST(TokenWeights, OfTokensWithoutTextAreThePrompts) {
  // What a post-processor adds has no bytes of the text, even where a range begins at 0.
  const TokenWeights result =
      weigh_tokens(Ranges{{0, 0}, {0, 3}, {2, 2}}, trained_on({{0, 3}}), 0.5f);
  EXPECT_EQ(result.weights, (std::vector<float>{0.5f, 1, 0.5f}));
  EXPECT_EQ(result.straddling_tokens, 0);
}

TEST(TokenWeights, OfOneCharactersTokensAgree) {
  // Byte-level tokens of one character all carry its range.
  const TokenWeights result =
      weigh_tokens(Ranges{{0, 4}, {4, 8}, {4, 8}, {4, 8}}, trained_on({{4, 8}}), 0);
  EXPECT_EQ(result.weights, (std::vector<float>{0, 1, 1, 1}));
}

TEST(TokenWeights, AreTheRangesOwn) {
  // A response that counts by half, and a message that is not to be trained on at all.
  const std::vector<WeighedRange> ranges = {{{2, 4}, 0.5f, true}, {{6, 8}, 0.0f, false}};
  const TokenWeights result =
      weigh_tokens(Ranges{{0, 2}, {2, 4}, {4, 6}, {6, 8}, {7, 9}}, ranges, 0.25f);
  EXPECT_EQ(result.weights, (std::vector<float>{0.25f, 0.5f, 0.25f, 0, 0.25f}));
  EXPECT_EQ(result.responses, (std::vector<std::uint8_t>{0, 1, 0, 0, 0}));
  EXPECT_EQ(result.straddling_tokens, 0);
}

TEST(TokenWeights, WithoutTrainedRangesAreThePrompts) {
  EXPECT_EQ(weigh_tokens(Ranges{{0, 1}, {1, 2}}, {}, 0).weights, (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace hone::datasets
