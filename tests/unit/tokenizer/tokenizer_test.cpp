#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

// All 256 bytes, "ab", "abc" and three added tokens.
json byte_level_json() {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[bytes_to_letters(std::string(1, static_cast<char>(byte)))] = byte;
  }
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  vocab["<eos>"] = 258;
  return {{"added_tokens",
           {{{"id", 258}, {"content", "<eos>"}, {"special", true}},
            {{"id", 259}, {"content", "<think>"}, {"special", false}, {"normalized", false}},
            {{"id", 260}, {"content", "<eos>>"}, {"special", true}}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "ab c"}}}}};
}

Tokenizer load(const json& content) {
  const test::TempFolder folder;
  return Tokenizer::load(folder.write("tokenizer.json", content.dump()));
}

std::string refusal(const json& content) {
  return test::message_of<DataError>([&] { load(content); });
}

TEST(Tokenizer, MergesInOrderOfRank) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(tokenizer.encode("abcab").ids, (Ids{257, 256}));
  EXPECT_EQ(tokenizer.encode("").ids, Ids{});
}

TEST(Tokenizer, FindsTheLongestAddedToken) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(tokenizer.encode("ab<eos>>ab<eos>").ids, (Ids{256, 260, 256, 258}));
}

TEST(Tokenizer, LiteralRangesHoldSpecialTokensBackAndNoOthers) {
  const Tokenizer tokenizer = load(byte_level_json());
  const std::string text = "<eos><think><eos>";
  const Ids plain = tokenizer.encode(text).ids;
  EXPECT_EQ(plain, (Ids{258, 259, 258}));
  const Ids ids = tokenizer.encode(text, {.literal = {{0, 12}}}).ids;
  EXPECT_EQ(ids, (Ids{'<', 'e', 'o', 's', '>', 259, 258}));
  EXPECT_EQ(tokenizer.encode("<eos>", {.literal = {{4, 5}}}).ids, (Ids{'<', 'e', 'o', 's', '>'}));
  EXPECT_EQ(tokenizer.encode("<eos>>", {.literal = {{5, 6}}}).ids, (Ids{258, '>'}));
}

// With ignore_merges a whole word is looked up in the vocabulary, which also holds special tokens.
TEST(Tokenizer, AWordIsNeverASpecialToken) {
  json content = byte_level_json();
  content["pre_tokenizer"]["use_regex"] = false;
  content["model"]["ignore_merges"] = true;
  const Tokenizer tokenizer = load(content);
  EXPECT_EQ(tokenizer.encode("<eos>", {.literal = {{0, 5}}}).ids, (Ids{'<', 'e', 'o', 's', '>'}));
  EXPECT_EQ(tokenizer.encode("abc").ids, Ids{257});
}

TEST(Tokenizer, SaysWhereTextIsNotUtf8) {
  const Tokenizer tokenizer = load(byte_level_json());
  const std::string message =
      test::message_of<DataError>([&] { tokenizer.encode("h\xC3\xA9llo \xC3("); });
  EXPECT_TRUE(test::contains(message, "0xC3"));
  EXPECT_TRUE(test::contains(message, "offset 7"));
}

TEST(Tokenizer, RandomTextComesBackAsItWas) {
  const Tokenizer tokenizer = load(byte_level_json());
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      constexpr char32_t kLimits[] = {0x80, 0x800, 0xD800, 0x10000, 0x110000};
      const char32_t c = random() % kLimits[random() % 5];
      if (c < 0xD800 || c > 0xDFFF) append_utf8(text, c);
    }
    const Encoding encoding = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(encoding.ids), text);
    for (const TextRange& range : encoding.offsets) EXPECT_LT(range.begin, range.end);
  }
}

TEST(Tokenizer, AWordOfAMebibyteTakesNoQuadraticTime) {
  const Tokenizer tokenizer = load(byte_level_json());
  std::string text;
  while (text.size() < 1 << 20) text += "abcabca";
  const auto start = std::chrono::steady_clock::now();
  const Encoding encoding = tokenizer.encode(text);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(tokenizer.decode(encoding.ids), text);
  EXPECT_LT(taken.count(), 10.0);  // a quadratic merge would take hours
}

TEST(Tokenizer, ManyThreadsAgree) {
  const Tokenizer tokenizer = load(byte_level_json());
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back("abc ab " + std::to_string(i * i) + " cab");
  std::vector<Ids> expected;
  for (const std::string& text : texts)
    expected.push_back(load(byte_level_json()).encode(text).ids);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        wrong += tokenizer.encode(texts[i]).ids != expected[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Tokenizer, ReadsTheFilesOfAFolder) {
  const test::TempFolder folder;
  folder.write("tokenizer.json", byte_level_json().dump());
  folder.write("tokenizer_config.json",
               R"({"eos_token": {"content": "<eos>"}, "chat_template": "old",
                   "added_tokens_decoder": {"300": {"content": "<pad>", "special": true}},
                   "pad_token": "<pad>"})");
  folder.write("generation_config.json", R"({"eos_token_id": [258, 260]})");
  folder.write("chat_template.jinja", "new");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.special().eos_id, 258);
  EXPECT_EQ(tokenizer.special().pad_id, 300);
  EXPECT_EQ(tokenizer.special().eos_ids, (Ids{258, 260}));
  EXPECT_EQ(tokenizer.special().names.at("eos_token"), "<eos>");
  EXPECT_EQ(*tokenizer.chat_template(), "new");
  EXPECT_EQ(tokenizer.vocab_size(), 301u);
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(259));
  EXPECT_EQ(tokenizer.encode("<pad>").ids, Ids{300});
}

TEST(Tokenizer, ReadsTheVocabularyOfAGguf) {
  const auto gguf = test::source_folder() / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(gguf)) GTEST_SKIP() << "needs the model of tools/setup";
  const Tokenizer tokenizer = Tokenizer::load(gguf);
  EXPECT_EQ(tokenizer.vocab_size(), 49152u);
  EXPECT_EQ(tokenizer.special().bos_id, 1);
  EXPECT_EQ(tokenizer.special().eos_ids, Ids{2});
  EXPECT_EQ(tokenizer.special().names.at("eos_token"), "<|im_end|>");
  EXPECT_TRUE(test::contains(*tokenizer.chat_template(), "SmolLM"));
}

TEST(Tokenizer, RefusesWhatItDoesNotKnow) {
  json content = byte_level_json();
  content["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Magic"}}}}};
  EXPECT_TRUE(test::contains(refusal(content), "pre_tokenizer.pretokenizers[0].type: `Magic`"));
  content = byte_level_json();
  content["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "(a"}}}, {"content", "b"}};
  EXPECT_TRUE(test::contains(refusal(content), "`(a`"));
  content = byte_level_json();
  content["model"]["merges"] = {"a b", "a zz"};
  EXPECT_TRUE(test::contains(refusal(content), "model.merges[1]: `azz` is not in the vocabulary"));
  content = byte_level_json();
  content["model"]["type"] = "Magic";
  EXPECT_TRUE(test::contains(refusal(content), "model.type: `Magic`"));
  content = byte_level_json();
  content["model"]["vocab"]["x"] = -1;
  EXPECT_TRUE(test::contains(refusal(content), "id -1"));
  content = byte_level_json();
  content["added_tokens"][0].erase("content");
  EXPECT_TRUE(test::contains(refusal(content), "added_tokens[0].content is missing"));
  const test::TempFolder empty;
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { Tokenizer::load(empty.path()); }),
                             "no tokenizer.json"));
}

TEST(Utf8, ReplacesEachMaximalPrefixOnce) {
  EXPECT_EQ(replace_invalid_utf8("a\xE2\x82z"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98\x80\xF0\x9F"), "\xF0\x9F\x98\x80\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8, CountsCodePointsBackAndForth) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  EXPECT_EQ(to_code_points(text, {{0, 1}, {1, 6}, {3, 10}, {0, 3}}),
            (std::vector<TextRange>{{0, 1}, {1, 3}, {2, 4}, {0, 2}}));
}

}  // namespace
}  // namespace hone::tokenizer
