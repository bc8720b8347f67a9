#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_save.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

const std::vector<NewToken> kNew = {{"<|tool|>", true}, {"hitherto", false}};
constexpr std::int32_t kFirst = 1508;  // GPT-2's tokenizer of tests/data has the ids before

/// The tokenizers of tests/data, as folders.
class NewTokens : public testing::TestWithParam<const char*> {
 protected:
  test::TempFolder folder_;
  const std::filesystem::path tokenizer_ = folder_.write(
      "tokenizer.json",
      read_file(test::fixture(std::string("tokenizers/") + GetParam() + "/tokenizer.json")));
  const std::filesystem::path config_ =
      folder_.write("tokenizer_config.json", R"({"added_tokens_decoder":{},"eos_token":"</s>"})");
  Tokenizer before_ = Tokenizer::load(folder_.path());
  Tokenizer after_ = Tokenizer::load(folder_.path(), kNew);
};

TEST_P(NewTokens, HaveTheIdsBehindThoseThatThereWereAndAreFoundInText) {
  const auto first = static_cast<std::int32_t>(before_.vocab_size());
  EXPECT_EQ(after_.vocab_size(), before_.vocab_size() + 2);
  EXPECT_EQ(after_.token_to_id("<|tool|>"), first);
  EXPECT_EQ(after_.token_to_id("hitherto"), first + 1);
  const Ids ids = after_.encode("ask<|tool|>, as hitherto!").ids;
  EXPECT_EQ(std::count(ids.begin(), ids.end(), first), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), first + 1), 1);
  EXPECT_EQ(after_.decode(Ids{first, first + 1}), "<|tool|>hitherto");
  EXPECT_EQ(after_.decode(Ids{first, first + 1}, /*skip_special=*/true), "hitherto");
  const std::string other = "a text without any of them, (42) and ünïcode";
  EXPECT_EQ(after_.encode(other).ids, before_.encode(other).ids);
}

TEST_P(NewTokens, ThatAreSpecialStayTextWhereAUserWroteThem) {
  const std::string text = "<|tool|> hitherto";
  const Ids ids = after_.encode(text, {.literal = {{0, text.size()}}}).ids;
  const auto first = static_cast<std::int32_t>(before_.vocab_size());
  EXPECT_EQ(std::count(ids.begin(), ids.end(), first), 0);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), first + 1), 1);
}

TEST_P(NewTokens, AreSavedAndLoadedBack) {
  const test::TempFolder saved;
  save_tokenizer(after_, folder_.path(), saved.path());
  const Tokenizer again = Tokenizer::load(saved.path());
  for (const char* text : {"ask<|tool|>, as hitherto!", "plain words", "<|tool|><|tool|>"})
    EXPECT_EQ(again.encode(text).ids, after_.encode(text).ids) << text;
  EXPECT_TRUE(again.is_special(*again.token_to_id("<|tool|>")));
  EXPECT_FALSE(again.is_special(*again.token_to_id("hitherto")));
  const json config = io::read_json(saved / "tokenizer_config.json");
  EXPECT_EQ(config["eos_token"], "</s>");
  EXPECT_EQ(config["added_tokens_decoder"].size(), 2u);
  EXPECT_EQ(config["added_tokens_decoder"][std::to_string(before_.vocab_size())]["content"],
            "<|tool|>");
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, NewTokens,
                         testing::Values("gpt2_bytelevel", "llama2_byte_fallback", "qwen2_nfc"),
                         [](const auto& one) { return std::string(one.param); });

TEST(NewToken, IsRefusedWhereItIsEmptyOrThereAlready) {
  const auto path = test::fixture("tokenizers/gpt2_bytelevel/tokenizer.json");
  EXPECT_EQ(Tokenizer::load(path).vocab_size(), std::size_t{kFirst});
  const auto refusal = [&](const std::vector<NewToken>& tokens) {
    return test::message_of<ConfigError>([&] { Tokenizer::load(path, tokens); });
  };
  EXPECT_TRUE(test::contains(refusal({{""}}), "is empty"));
  EXPECT_TRUE(test::contains(refusal({{"<|im_end|>", true}}), "`<|im_end|>` is in the vocabulary"));
  EXPECT_TRUE(test::contains(refusal({{"the"}}), "`the` is in the vocabulary already"));
  EXPECT_TRUE(test::contains(refusal({{"<new>"}, {"<new>", true}}), "with the id 1508"));
}

}  // namespace
}  // namespace hone::tokenizer
