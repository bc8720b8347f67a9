#include "datasets/preview.h"

#include <gtest/gtest.h>

#include "support/support.h"

namespace hone::datasets {
namespace {

Example example_of(const tokenizer::Tokenizer& tokenizer, const std::string& prompt,
                   const std::string& response) {
  Example example;
  example.ids = tokenizer.encode(prompt).ids;
  example.weights.assign(example.ids.size(), 0.5f);
  for (const std::int32_t id : tokenizer.encode(response).ids) {
    example.ids.push_back(id);
    example.weights.push_back(1.0f);
  }
  return example;
}

class Preview : public testing::Test {
 protected:
  tokenizer::Tokenizer tokenizer_ =
      tokenizer::Tokenizer::load(test::fixture("tokenizers/qwen2_nfc/tokenizer.json"));
};

TEST_F(Preview, MarksTrainedTokens) {
  const Example example = example_of(tokenizer_, "Hi\n", "Yo\n");
  EXPECT_EQ(preview(example, tokenizer_, false), "Hi↵\n[[Yo↵\n]]");
  EXPECT_EQ(preview(example, tokenizer_, true), "Hi↵\n\x1b[32mYo↵\n\x1b[0m");
}

TEST_F(Preview, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(preview(example_of(tokenizer_, "a\x1b[2Jb\t", "c"), tokenizer_, false),
            "a\\x1b[2Jb\\x09[[c]]");
}

TEST_F(Preview, DoesNotMarkAFirstToken) {
  Example example = example_of(tokenizer_, "", "abc");
  const std::string shown = preview(example, tokenizer_, false);
  EXPECT_FALSE(shown.starts_with("[["));
}

TEST_F(Preview, ShowsWeightsStopsAndBordersWhereAskedFor) {
  Example example = example_of(tokenizer_, "Hi\n", "Yo<|im_end|>");
  const PreviewStyle weights = {.weights = true};
  EXPECT_EQ(preview(example, tokenizer_, weights), "H{{0.5×i↵\n}}[[Yo<|im_end|>]]")
      << "the first token's weight has no effect";
  example.weights[1] = example.weights[2] = 0;
  const PreviewStyle all = {
      .borders = true, .weights = true, .stop_ids = {*tokenizer_.token_to_id("<|im_end|>")}};
  EXPECT_EQ(preview(example, tokenizer_, all), "H|i|↵\n[[|Y|o]][[«|<|im_end|>»]]");
}

TEST_F(Preview, GivesTheTextOfEachToken) {
  const Example example = example_of(tokenizer_, "Hi\n", "you");
  std::string joined;
  const std::vector<std::string> texts = token_texts(example, tokenizer_);
  ASSERT_EQ(texts.size(), example.ids.size());
  for (const std::string& text : texts) joined += text;
  EXPECT_EQ(joined, "Hi\nyou");
}

TEST(PreviewOfSentencePiece, KeepsSpacesBetweenRuns) {
  const auto tokenizer =
      tokenizer::Tokenizer::load(test::fixture("tokenizers/llama2_byte_fallback/tokenizer.json"));
  const Example whole = example_of(tokenizer, "the time of the year", "");
  Example example = whole;
  for (std::size_t t = example.ids.size() / 2; t < example.ids.size(); ++t) example.weights[t] = 1;
  std::string shown = preview(example, tokenizer, false);
  shown.erase(shown.find("[["), 2);
  shown.erase(shown.find("]]"), 2);
  EXPECT_EQ(shown, "the time of the year");
}

}  // namespace
}  // namespace hone::datasets
