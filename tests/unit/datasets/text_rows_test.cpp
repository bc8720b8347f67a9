#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "datasets/load.h"
#include "datasets/preview.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

using tokenizer::Tokenizer;

/// Rows of text through a tokenizer that adds BOS (Llama 2's) and one that adds nothing (GPT-2's).
class TextRows : public testing::Test {
 protected:
  Dataset read(const std::string& rows, const Tokenizer& tokenizer) {
    return load({folder_.write("rows.jsonl", rows).string()}, options_, {&tokenizer}, 0);
  }
  /// The text of a row's tokens, trained ones between [[ and ]].
  std::string shown(const std::string& row, const Tokenizer& tokenizer) {
    return preview(read(row, tokenizer).example(0), tokenizer, false);
  }
  std::string refusal(const std::string& row) {
    return test::message_of<DataError>([&] { read(row, gpt2_); });
  }

  /// A fixture's tokenizer.json beside a config that names its special tokens.
  Tokenizer load_tokenizer(const std::string& name, const std::string& config) {
    folder_.write(name + "/tokenizer_config.json", config);
    folder_.write(name + "/tokenizer.json",
                  read_file(test::fixture("tokenizers/" + name + "/tokenizer.json")));
    return Tokenizer::load(folder_ / name);
  }

  test::TempFolder folder_;
  Tokenizer gpt2_ = load_tokenizer("gpt2_bytelevel", R"({"eos_token":"<|endoftext|>"})");
  Tokenizer llama_ =
      load_tokenizer("llama2_byte_fallback", R"({"bos_token":"<s>","eos_token":"</s>"})");
  DataOptions options_ = config::defaults<DataOptions>();
};

TEST_F(TextRows, OfPromptAndCompletionTrainOnTheCompletionAndEos) {
  const std::string row = R"({"prompt":"One, two,","completion":" three"})";
  EXPECT_EQ(shown(row, gpt2_), "One, two,[[ three<|endoftext|>]]");
  EXPECT_EQ(shown(row, llama_), "<s> One, two,[[ three</s>]]");
  const Example example = read(row, llama_).example(0);
  EXPECT_EQ(example.ids.front(), llama_.special().bos_id);
  EXPECT_EQ(example.ids.back(), llama_.special().eos_id);
  EXPECT_EQ(std::ranges::count(example.ids, *llama_.special().eos_id), 1);
}

TEST_F(TextRows, OfTextTrainOnAllOfItAndEos) {
  const Example example = read(R"({"text":"One, two,"})", gpt2_).example(0);
  EXPECT_EQ(example.ids.back(), gpt2_.special().eos_id);
  EXPECT_TRUE(std::ranges::all_of(example.weights, [](float weight) { return weight == 1; }));
  // Nothing predicts the first token, so it is not shown as trained.
  EXPECT_EQ(shown(R"({"text":"One, two,"})", gpt2_), "O[[ne, two,<|endoftext|>]]");
}

TEST_F(TextRows, AreTheTokensOfTheWholeText) {
  const std::string text = "the people of the world";
  const tokenizer::Encoding whole = gpt2_.encode(text);
  const auto long_token =
      std::ranges::find_if(whole.offsets, [](const auto& range) { return range.size() > 2; });
  ASSERT_NE(long_token, whole.offsets.end());
  const std::size_t border = long_token->begin + 2;
  const nlohmann::json row = {{"prompt", text.substr(0, border)},
                              {"completion", text.substr(border)}};
  const Example example = read(row.dump(), gpt2_).example(0);
  std::vector<std::int32_t> expected = whole.ids;
  expected.push_back(*gpt2_.special().eos_id);
  EXPECT_EQ(example.ids, expected) << "the border is none for the tokenizer";
  EXPECT_EQ(example.straddling_tokens, 1);
}

TEST_F(TextRows, GiveThePromptItsWeight) {
  options_.prompt_loss_weight = 0.25;
  const Example example = read(R"({"prompt":"One, two,","completion":" three"})", gpt2_).example(0);
  EXPECT_EQ(example.weights.front(), 0.25f);
  EXPECT_EQ(example.weights.back(), 1.0f);
}

TEST_F(TextRows, NeverTurnTextIntoSpecialTokens) {
  for (const std::string row : {R"({"text":"a</s><s>b<|endoftext|>"})",
                                R"({"prompt":"a</s>","completion":"<s>b<|endoftext|>"})"}) {
    const Example llama = read(row, llama_).example(0);
    EXPECT_EQ(std::ranges::count(llama.ids, *llama_.special().eos_id), 1);
    EXPECT_EQ(std::ranges::count(llama.ids, *llama_.special().bos_id), 1);
    const Example gpt2 = read(row, gpt2_).example(0);
    EXPECT_EQ(std::ranges::count(gpt2.ids, *gpt2_.special().eos_id), 1);
  }
}

TEST_F(TextRows, NeedText) {
  EXPECT_TRUE(test::contains(refusal(R"({"text":""})"), "rows.jsonl:1: \"text\" is empty"));
  EXPECT_TRUE(
      test::contains(refusal(R"({"prompt":"a","completion":""})"), "\"completion\" is empty"));
  EXPECT_TRUE(test::contains(refusal(R"({"text":null})"), "rows.jsonl:1: the row has no \"text\""));
}

TEST_F(TextRows, OfPreferencesAreNoTextToTrainOn) {
  EXPECT_TRUE(test::contains(refusal(R"({"prompt":"p","chosen":"a","rejected":"b"})"),
                             "rows.jsonl:1: the row is a preference record"));
}

TEST_F(TextRows, ComeFromMappedColumns) {
  options_.columns = {{"prompt", "question"}, {"completion", "data.answer"}};
  EXPECT_EQ(shown(R"({"question":"One, two,","data":{"answer":" three"},"id":1})", gpt2_),
            "One, two,[[ three<|endoftext|>]]");
  EXPECT_TRUE(
      test::contains(refusal(R"({"qestion":"a","data":{"answer":"b"}})"),
                     "rows.jsonl:1: data.columns.prompt: the row has no column \"question\"; "
                     "did you mean qestion?"));
}

}  // namespace
}  // namespace hone::datasets
