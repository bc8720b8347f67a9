#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "support/support.h"
#include "tokenizer/gguf_vocabulary.h"

// Tokenizers on their way into a GGUF file and back. That what comes back cuts texts as llama.cpp
// does is the business of gguf_vocabulary_test.cpp.

namespace hone::tokenizer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::message_of;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t kRows = 60000;  // more than any of them has

fs::path write(const GgufText& text, const test::TempFolder& folder, std::int64_t rows = kRows) {
  io::GgufContents contents;
  contents.add("general.architecture", "llama");
  add_gguf_vocabulary(text, rows, folder.path(), contents);
  io::GgufWriter(folder / "model.gguf", contents).commit();
  return folder / "model.gguf";
}

/// A copy of a fixture whose tokenizer.json is changed.
template <class Change>
fs::path changed(const test::TempFolder& folder, const std::string& name, Change change) {
  const fs::path source = test::fixture("tokenizers/" + name), copy = folder / "changed";
  fs::copy(source, copy);
  json file = io::read_json(source / "tokenizer.json");
  change(file);
  write_file_atomically(copy / "tokenizer.json", file.dump());
  return copy;
}

/// Whether llama.cpp may cut a text otherwise: added tokens that are more than their spelling.
bool has_awkward_token(const std::string& text, const fs::path& source) {
  const json tokenizer = io::read_json(source / "tokenizer.json");
  for (const json& token : tokenizer["added_tokens"])
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"})
      if (token[flag] && contains(text, token["content"])) return true;
  return false;
}

class GgufRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(GgufRoundTrip, GivesTheIdsOfTheFixture) {
  const test::TempFolder folder;
  const fs::path source = test::fixture(std::string("tokenizers/") + GetParam());
  const Tokenizer tokenizer = Tokenizer::load(write({.source = source}, folder));
  std::ifstream cases(source / "cases.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(cases, line);) {
    const json row = json::parse(line);
    if (has_awkward_token(row["text"], source)) continue;
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()).ids, row["ids"].get<Ids>())
        << row["text"];
    ++count;
  }
  EXPECT_GT(count, 10u);
}

TEST_P(GgufRoundTrip, KeepsSpecialTokensAndTheFrame) {
  const test::TempFolder folder;
  const fs::path source = test::fixture(std::string("tokenizers/") + GetParam());
  const Tokenizer before = Tokenizer::load(source);
  const Tokenizer after = Tokenizer::load(write({.source = source}, folder));
  if (before.special().bos_id) {
    EXPECT_EQ(after.special().bos_id, before.special().bos_id);
  }
  if (before.special().eos_id) {
    EXPECT_EQ(after.special().eos_id, before.special().eos_id);
  }
  EXPECT_EQ(after.encode("a", {.add_special_tokens = true}).ids,
            before.encode("a", {.add_special_tokens = true}).ids);
  for (std::size_t id = 0; id < before.vocab_size(); ++id) {
    const auto one = static_cast<std::int32_t>(id);
    EXPECT_EQ(after.is_special(one), before.is_special(one)) << id;
    if (before.is_special(one)) {
      EXPECT_EQ(after.id_to_token(one), before.id_to_token(one));
    }
  }
}

TEST_P(GgufRoundTrip, FillsTheRowsOfTheEmbedding) {
  const test::TempFolder folder;
  const fs::path source = test::fixture(std::string("tokenizers/") + GetParam());
  const io::GgufFile file(write({.source = source}, folder));
  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  EXPECT_EQ(std::ssize(tokens), kRows);
  EXPECT_EQ(tokens.back(), "[PAD59999]");
  EXPECT_EQ(file.get_ints("tokenizer.ggml.token_type").back(), 5);  // unused
  EXPECT_FALSE(fs::exists(folder / "vocabulary.gguf"));
}

// SentencePiece puts its space before a token of the user's too, a tokenizer.json does not.
TEST(GgufText, RefusesATokenizerThatWouldCutItsOwnTokensOtherwise) {
  if (!test::has_fixture("tokenizers/llama2_byte_fallback/tokenizer.json")) GTEST_SKIP();
  const test::TempFolder folder;
  const std::string message = message_of<DataError>(
      [&] { write({.source = test::fixture("tokenizers/llama2_byte_fallback")}, folder); });
  EXPECT_TRUE(contains(message, "would cut \"<tool>\""));
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizers, GgufRoundTrip, testing::ValuesIn([] {
      std::vector<const char*> names;
      for (const char* name : {"gpt2_bytelevel", "qwen2_nfc", "gemma_byte_fallback", "smollm2"})
        if (test::has_fixture(std::string("tokenizers/") + name + "/tokenizer.json"))
          names.push_back(name);
      return names;
    }()),
    [](const auto& test) { return std::string(test.param); });

TEST(GgufVocabularyWrite, NamesThePreTokenizer) {
  const test::TempFolder folder;
  const auto pre = [&](const fs::path& source) {
    return io::GgufFile(write({.source = source}, folder)).get_string("tokenizer.ggml.pre");
  };
  EXPECT_EQ(pre(test::fixture("tokenizers/gpt2_bytelevel")), "gpt-2");
  EXPECT_EQ(pre(test::fixture("tokenizers/qwen2_nfc")), "qwen2");
}

TEST(GgufVocabularyWrite, RefusesASplitThatLlamaCppDoesNotKnow) {
  const test::TempFolder folder;
  const fs::path source = changed(folder, "qwen2_nfc", [](json& file) {
    file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "[a-z]+";
  });
  EXPECT_TRUE(contains(message_of<DataError>([&] { write({.source = source}, folder); }),
                       "llama.cpp has no pre-tokenizer that splits text as"));
}

TEST(GgufVocabularyWrite, RefusesANormalizerThatLlamaCppDoesNotHave) {
  const test::TempFolder folder;
  const fs::path source = changed(folder, "gpt2_bytelevel", [](json& file) {
    file["normalizer"] = {{"type", "Lowercase"}};
  });
  EXPECT_TRUE(contains(message_of<DataError>([&] { write({.source = source}, folder); }),
                       "llama.cpp normalizes no text before byte-level BPE"));
}

// SentencePiece joins any two pieces that make a third one; a list of merges need not.
TEST(GgufVocabularyWrite, RefusesATokenizerWhoseIdsWouldDiffer) {
  const test::TempFolder folder;
  const fs::path source = changed(folder, "llama2_byte_fallback", [](json& file) {
    json& merges = file["model"]["merges"];
    merges.erase(merges.begin() + 3, merges.end());
  });
  EXPECT_TRUE(contains(message_of<DataError>([&] { write({.source = source}, folder); }),
                       "where the model was trained on"));
  EXPECT_FALSE(fs::exists(folder / "vocabulary.gguf"));
}

TEST(GgufVocabularyWrite, RefusesMoreTokensThanTheEmbeddingHasRows) {
  const test::TempFolder folder;
  const fs::path source = test::fixture("tokenizers/gpt2_bytelevel");
  EXPECT_TRUE(contains(message_of<DataError>([&] { write({.source = source}, folder, 100); }),
                       "the model's embedding 100 rows"));
}

TEST(GgufVocabularyWrite, TakesAnotherTemplateAndItsStopTokens) {
  const test::TempFolder folder;
  const fs::path first = write({.source = test::fixture("tokenizers/qwen2_nfc"),
                                .chat_template = "{{ 'a' }}",
                                .stop_texts = {"<|im_end|>"}},
                               folder);
  const Tokenizer tokenizer = Tokenizer::load(first);
  ASSERT_NE(tokenizer.chat_template(), nullptr);
  EXPECT_EQ(*tokenizer.chat_template(), "{{ 'a' }}");
  const auto stop = tokenizer.token_to_id("<|im_end|>");
  ASSERT_TRUE(stop);
  EXPECT_EQ(
      std::count(tokenizer.special().eos_ids.begin(), tokenizer.special().eos_ids.end(), *stop), 1);

  // From one GGUF file to the next: everything is kept but what is given anew.
  const test::TempFolder other;
  const fs::path second = write({.source = first, .chat_template = "{{ 'b' }}"}, other, kRows + 5);
  const Tokenizer copy = Tokenizer::load(second);
  EXPECT_EQ(*copy.chat_template(), "{{ 'b' }}");
  EXPECT_EQ(copy.special().eos_ids, tokenizer.special().eos_ids);
  EXPECT_EQ(copy.encode("Hello, wörld 123").ids, tokenizer.encode("Hello, wörld 123").ids);
  EXPECT_EQ(std::ssize(io::GgufFile(second).get_strings("tokenizer.ggml.tokens")), kRows + 5);
}

TEST(GgufVocabularyWrite, TakesASentencePieceModel) {
  const test::TempFolder folder, source;
  fs::copy(test::fixture("tokenizers/sentencepiece/llama.model"), source / "tokenizer.model");
  const Tokenizer before = Tokenizer::load(source.path());
  const fs::path path = write({.source = source.path()}, folder);
  EXPECT_EQ(io::GgufFile(path).get_string("tokenizer.ggml.model"), "llama");
  const Tokenizer after = Tokenizer::load(path);
  for (const char* text : {"Hello world", "  two  spaces", "déjà vu 漢字"})
    EXPECT_EQ(after.encode(text).ids, before.encode(text).ids) << text;
}

}  // namespace
}  // namespace hone::tokenizer
