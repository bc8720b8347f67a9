#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/gguf_writer.h"
#include "support/support.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/gguf_to_json.h"
#include "tokenizer/sentencepiece_spec.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;
using test::GgufWriter;
using Ids = std::vector<std::int32_t>;

Tokenizer load(const GgufWriter& writer) {
  const test::TempFolder folder;
  return Tokenizer::load(folder.write("model.gguf", writer.content()));
}

std::vector<json> read_rows(const std::filesystem::path& path) {
  std::vector<json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) rows.push_back(json::parse(line));
  return rows;
}

std::vector<std::string> spellings_by_id(const json& vocab) {
  std::vector<std::string> tokens(vocab.size());
  for (const auto& [token, id] : vocab.items()) tokens.at(id) = token;
  return tokens;
}

// A SentencePiece model as the vocabulary of a GGUF file.
GgufWriter sentencepiece_gguf(const std::string& name, const std::string& kind) {
  const SentencePieceSpec spec =
      read_sentencepiece(test::fixture("tokenizers/sentencepiece/" + name + ".model"));
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (const SentencePiece& piece : spec.pieces) {
    tokens.push_back(piece.text);
    scores.push_back(piece.score);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", kind)
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.scores", scores)
      .add("tokenizer.ggml.token_type", types)
      .add("tokenizer.ggml.remove_extra_whitespaces", spec.remove_extra_whitespaces)
      .add_bytes("tokenizer.ggml.precompiled_charsmap", spec.charsmap);
  return writer;
}

void expect_the_librarys_ids(const Tokenizer& tokenizer, const std::string& name) {
  const std::vector<json> rows =
      read_rows(test::fixture("tokenizers/sentencepiece/" + name + ".jsonl"));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string text = rows[0]["texts"][i - 1];
    EXPECT_EQ(tokenizer.encode(text, {.literal = {{0, text.size()}}}).ids, rows[i][0].get<Ids>())
        << json(text);
  }
}

TEST(GgufVocabulary, LlamaIsSentencePieceBpe) {
  const Tokenizer tokenizer = load(sentencepiece_gguf("llama", "llama"));
  expect_the_librarys_ids(tokenizer, "llama");
  EXPECT_EQ(tokenizer.special().bos_id, 1);
  EXPECT_EQ(tokenizer.encode("a", {.add_special_tokens = true}).ids.front(), 1);
  // Each text between special tokens begins with a space of its own, as with llama.cpp.
  const Ids word = tokenizer.encode("a").ids;
  Ids expected = word;
  expected.push_back(1);
  expected.insert(expected.end(), word.begin(), word.end());
  EXPECT_EQ(tokenizer.encode("a<s>a").ids, expected);
}

TEST(GgufVocabulary, T5IsSentencePieceUnigram) {
  const Tokenizer tokenizer = load(sentencepiece_gguf("t5", "t5"));
  expect_the_librarys_ids(tokenizer, "t5");
  EXPECT_EQ(tokenizer.special().eos_id, 1);
  EXPECT_EQ(tokenizer.encode("a", {.add_special_tokens = true}).ids.back(), 1);
}

// The WordPiece model of the component cases, spelt as GGUF spells it.
TEST(GgufVocabulary, BertIsWordPiece) {
  const std::vector<json> rows = read_rows(test::fixture("tokenizers/components/cases.jsonl"));
  std::vector<std::string> tokens = spellings_by_id(rows[0]["models"]["word_piece"]["vocab"]);
  for (std::string& token : tokens) {
    if (token.starts_with("##")) {
      token.erase(0, 2);
    } else if (!(token.starts_with('[') && token.ends_with(']'))) {
      token.insert(0, "\u2581");
    }
  }
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "bert")
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.unknown_token_id", std::uint32_t{0})
      .add("tokenizer.ggml.cls_token_id", std::uint32_t{5})
      .add("tokenizer.ggml.seperator_token_id", std::uint32_t{6});
  const Tokenizer tokenizer = load(writer);
  const auto row = std::find_if(rows.begin() + 1, rows.end(), [](const json& candidate) {
    return candidate["name"] == "model word_piece";
  });
  ASSERT_NE(row, rows.end());
  for (std::size_t i = 0; i < rows[0]["texts"].size(); ++i) {
    const std::string text = rows[0]["texts"][i];
    Ids expected = (*row)["cases"][i][0];
    // The reference refuses words of more than 12 characters, GGUF files of more than 100.
    if (text.starts_with("aaaa") || text.starts_with("tokenization")) continue;
    EXPECT_EQ(tokenizer.encode(text).ids, expected) << json(text);
    expected.insert(expected.begin(), 5);
    expected.push_back(6);
    EXPECT_EQ(tokenizer.encode(text, {.add_special_tokens = true}).ids, expected) << json(text);
  }
}

// The 256 bytes, and the added tokens that a chat needs.
GgufWriter byte_level_gguf(const std::string& pre) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(bytes_to_letters(std::string(1, static_cast<char>(byte))));
  }
  std::vector<std::int32_t> types(tokens.size(), 1);
  tokens.push_back("<bos>");
  types.push_back(3);
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "gpt2")
      .add("tokenizer.ggml.pre", pre)
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.token_type", types)
      .add("tokenizer.ggml.bos_token_id", std::uint32_t{256})
      .add("tokenizer.ggml.merges", std::vector<std::string>{});
  return writer;
}

TEST(GgufVocabulary, EveryPreTokenizerNameLoadsAndLosesNothing) {
  const json texts = read_rows(test::fixture("tokenizers/components/cases.jsonl"))[0]["texts"];
  std::istringstream names(gguf_pre_tokenizer_names());
  int count = 0;
  for (std::string name; names >> name; ++count) {
    const GgufPreTokenizer& kind = *find_gguf_pre_tokenizer(name);
    if (kind.spells_spaces || kind.nfc) continue;
    const Tokenizer tokenizer = load(byte_level_gguf(name));
    for (const std::string text : texts) {
      const Encoding encoding = tokenizer.encode(text);
      EXPECT_EQ(encoding.ids.size(), text.size()) << name << json(text);
      EXPECT_EQ(tokenizer.decode(encoding.ids), text) << name << json(text);
    }
    EXPECT_EQ(tokenizer.encode("", {.add_special_tokens = true}).ids,
              kind.adds_bos ? Ids{256} : Ids{})
        << name;
  }
  EXPECT_GE(count, 90);
}

TEST(GgufVocabulary, IsWrittenAsAFolderThatReadsTheSame) {
  const json texts = read_rows(test::fixture("tokenizers/components/cases.jsonl"))[0]["texts"];
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2"}) {
    const test::TempFolder folder;
    const auto gguf = folder.write("model.gguf", byte_level_gguf(pre).content());
    write_gguf_tokenizer(gguf, folder.path());
    const Tokenizer before = Tokenizer::load(gguf), after = Tokenizer::load(folder.path());
    EXPECT_EQ(after.vocab_size(), before.vocab_size());
    EXPECT_EQ(after.special().bos_id, before.special().bos_id);
    for (const std::string text : texts)
      for (const bool special : {false, true})
        EXPECT_EQ(after.encode(text + "<bos>", {.add_special_tokens = special}).ids,
                  before.encode(text + "<bos>", {.add_special_tokens = special}).ids)
            << pre << json(text);
  }
  const test::TempFolder folder;
  const auto llama = folder.write("llama.gguf", sentencepiece_gguf("llama", "llama").content());
  EXPECT_TRUE(test::contains(
      test::message_of<DataError>([&] { write_gguf_tokenizer(llama, folder.path()); }),
      "--tokenizer"));
}

// Bytes, and pairs that become one token where no pattern cuts between them.
TEST(GgufVocabulary, NamesSplitAsTheirPatternsSay) {
  std::vector<std::string> tokens, merges;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(bytes_to_letters(std::string(1, static_cast<char>(byte))));
  }
  for (const char* pair : {"12", "'L", "'l", "\u0120x", ".\u010A", "\u010A\u010A", "x/"}) {
    const std::string text = pair;
    const std::size_t first = text.size() - (text.ends_with("\u010A") ? 2 : 1);
    tokens.push_back(text);
    merges.push_back(text.substr(0, first) + " " + text.substr(first));
  }
  const auto pieces = [&](const std::string& pre, const std::string& text) {
    GgufWriter writer;
    writer.add("tokenizer.ggml.model", "gpt2")
        .add("tokenizer.ggml.pre", pre)
        .add("tokenizer.ggml.tokens", tokens)
        .add("tokenizer.ggml.merges", merges);
    const Tokenizer tokenizer = load(writer);
    std::string spelt;
    for (const std::int32_t id : tokenizer.encode(text).ids) {
      spelt += std::string(spelt.empty() ? "" : "|") + std::string(*tokenizer.id_to_token(id));
    }
    return spelt;
  };
  EXPECT_EQ(pieces("gpt-2", "12'L x"), "12|'|L|\u0120x");
  EXPECT_EQ(pieces("llama-bpe", "12'L x"), "12|'L|\u0120x");
  EXPECT_EQ(pieces("qwen35", "12'L x"), "1|2|'L|\u0120x");
  EXPECT_EQ(pieces("smollm", "12"), "1|2");
  EXPECT_EQ(pieces("tekken", "12'L"), "1|2|'L");
  EXPECT_EQ(pieces("tiny_aya", "1212"), "1|2|12");  // 1|212 from the right
  EXPECT_EQ(pieces("superbpe", "1212"), "1|2|12");
  EXPECT_EQ(pieces("llama-bpe", ".\n"), ".\u010A");
  EXPECT_EQ(pieces("gpt-2", ".\n"), ".|\u010A");
  EXPECT_EQ(pieces("deepseek-llm", "\n\n"), "\u010A|\u010A");
  EXPECT_EQ(pieces("laguna", "x\n\n"), "x|\u010A\u010A");
  EXPECT_EQ(pieces("bailingmoe", "'L"), "'L");
}

// Spaces spelt U+2581 and no bytes, as in Gemma 4's vocabulary.
TEST(GgufVocabulary, Gemma4SpellsSpaces) {
  std::vector<std::string> tokens{"<unk>", "\u2581", "a", "b", "\n", "\u2581a", "\n\n"};
  std::vector<std::int32_t> types{2, 1, 1, 1, 1, 1, 1};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(fmt::format("<0x{:02X}>", byte));
    types.push_back(6);
  }
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "gemma4")
      .add("tokenizer.ggml.tokens", tokens)
      .add("tokenizer.ggml.token_type", types)
      .add("tokenizer.ggml.merges", std::vector<std::string>{"\u2581 a", "\n \n"});
  const Tokenizer tokenizer = load(writer);
  EXPECT_EQ(tokenizer.encode("b a\n\nx").ids, (Ids{3, 5, 6, 7 + 'x'}));
  EXPECT_EQ(tokenizer.decode(Ids{3, 5, 6, 7 + 'x'}), "b a\n\nx");
}

TEST(GgufVocabulary, NamesWhatItDoesNotKnow) {
  const auto refusal = [](const GgufWriter& writer) {
    return test::message_of<DataError>([&] { load(writer); });
  };
  EXPECT_TRUE(test::contains(refusal(byte_level_gguf("magic")), "tokenizer.ggml.pre is `magic`"));
  EXPECT_TRUE(test::contains(refusal(byte_level_gguf("magic")), "llama-bpe"));
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "rwkv")
      .add("tokenizer.ggml.tokens", std::vector<std::string>{});
  EXPECT_TRUE(test::contains(refusal(writer), "`rwkv`; hone reads gpt2, gemma4, llama, bert, t5"));
  GgufWriter no_scores;
  no_scores.add("tokenizer.ggml.model", "llama")
      .add("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>"})
      .add("tokenizer.ggml.scores", std::vector<float>{0, 0});
  EXPECT_TRUE(test::contains(refusal(no_scores), "2 entries for 3 tokens"));
}

}  // namespace
}  // namespace hone::tokenizer
