#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "support/gguf_writer.h"
#include "support/support.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

// Random texts and damaged files. HONE_FUZZ_ROUNDS asks for more than a test run should take.

namespace hone::tokenizer {
namespace {

using nlohmann::json;

int rounds(int by_default) {
  const char* asked = std::getenv("HONE_FUZZ_ROUNDS");
  return asked != nullptr ? std::stoi(asked) : by_default;
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> pieces{
      " ",       "  ",           "\n",     "\r\n",       "\t",     "the",    "Token",
      "izer",    "123",          "'re",    "<s>",        "</s>",   "[MASK]", "\u00E9",
      "e\u0301", "\u4F60\u597D", "\u2581", "\u00A0",     "\u200D", "\uFE0F", "\U0001F468",
      "\uFFFD",  "\uD7FF",       "\uE000", "\U0010FFFF", "<0x41>", "##a",    "\u0627\u0644"};
  std::string text;
  for (std::size_t i = 0, size = random() % 40; i < size; ++i) {
    if (random() % 3 > 0) {
      text += pieces[random() % pieces.size()];
      continue;
    }
    constexpr char32_t kLimits[] = {0x80, 0x800, 0xD800, 0x10000, 0x110000};
    const char32_t c = random() % kLimits[random() % 5];
    if (c < 0xD800 || c > 0xDFFF) append_utf8(text, c);
  }
  return text;
}

// Ascending and inside the text; where each token stands for characters of its own.
void expect_sound_offsets(const Encoding& encoding, const std::string& text) {
  ASSERT_EQ(encoding.ids.size(), encoding.offsets.size());
  std::size_t begin = 0, end = 0;
  for (const TextRange& range : encoding.offsets) {
    EXPECT_LE(range.begin, range.end);
    EXPECT_GE(range.begin, begin);
    EXPECT_GE(range.end, end);
    EXPECT_LE(range.end, text.size());
    begin = range.begin;
    end = range.end;
  }
}

struct Named {
  std::string name;
  Tokenizer tokenizer;
};

// The small tokenizers of the component cases, those that keep characters in order.
std::vector<Named> component_tokenizers() {
  std::ifstream file(test::fixture("tokenizers/components/cases.jsonl"));
  std::string line;
  std::getline(file, line);
  const json shared = json::parse(line);
  const test::TempFolder folder;
  std::vector<Named> tokenizers;
  while (std::getline(file, line)) {
    const json row = json::parse(line);
    json content = row["tokenizer"];
    if (content["model"].is_string()) {
      content["model"] = shared["models"][content["model"].get<std::string>()];
    }
    tokenizers.push_back(
        {row["name"], Tokenizer::load(folder.write("tokenizer.json", content.dump()))});
  }
  for (const char* name : {"llama", "t5", "suffix", "plain"}) {
    tokenizers.push_back({name, Tokenizer::load(test::fixture(
                                    fmt::format("tokenizers/sentencepiece/{}.model", name)))});
  }
  return tokenizers;
}

TEST(TokenizerFuzz, NoTextBreaksEncodeOrDecode) {
  std::mt19937 random(11);
  const std::vector<Named> tokenizers = component_tokenizers();
  ASSERT_GT(tokenizers.size(), 80u);
  for (int round = 0; round < rounds(60); ++round) {
    const std::string text = random_text(random);
    SCOPED_TRACE(json(text).dump());
    for (const auto& [name, tokenizer] : tokenizers) {
      SCOPED_TRACE(name);
      const Encoding encoding = tokenizer.encode(text);
      expect_sound_offsets(encoding, text);
      tokenizer.decode(encoding.ids);
    }
  }
}

TEST(TokenizerFuzz, DecodeGivesBackWhatALosslessTokenizerEncoded) {
  std::mt19937 random(12);
  const std::vector<std::filesystem::path> files{
      test::fixture("tokenizers/gpt2_bytelevel/tokenizer.json"),
      test::fixture("tokenizers/sentencepiece/llama.model"),
      test::fixture("tokenizers/llama2_byte_fallback/tokenizer.json")};
  for (const auto& path : files) {
    SCOPED_TRACE(path.string());
    const Tokenizer tokenizer = Tokenizer::load(path);
    for (int round = 0; round < rounds(2000); ++round) {
      std::string text = random_text(random);
      // What is spelt like a space, a byte's token or a special token does not come back as it was.
      for (const char* lossy : {"\u2581", "<0x41>", "<s>", "</s>"}) {
        for (std::size_t at; (at = text.find(lossy)) != text.npos;) {
          text.erase(at, std::string_view(lossy).size());
        }
      }
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).ids), text) << json(text);
    }
  }
}

// One damage to a file's bytes.
std::string damaged(std::string content, std::mt19937& random) {
  const std::size_t at = random() % content.size();
  switch (random() % 4) {
    case 0:
      content.resize(at);
      break;
    case 1:
      content[at] = static_cast<char>(random());
      break;
    case 2:
      content.erase(at, 1 + random() % 16);
      break;
    default:
      content.insert(at, content.substr(random() % content.size(), random() % 64));
  }
  return content;
}

// A damaged file is refused with a DataError, or it is still a tokenizer that works.
void expect_refused_or_working(const std::string& file_name, const std::string& content,
                               std::uint32_t seed, int count) {
  std::mt19937 random(seed);
  const test::TempFolder folder;
  int refused = 0;
  for (int round = 0; round < rounds(count); ++round) {
    const auto path = folder.write(file_name, damaged(content, random));
    SCOPED_TRACE(fmt::format("{} round {}", file_name, round));
    try {
      const Tokenizer tokenizer = Tokenizer::load(path);
      tokenizer.decode(tokenizer.encode("Hello <s> w\u00F6rld 12\n").ids);
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0) << file_name;
}

TEST(DamagedTokenizer, AnswersWithDataError) {
  const json bytes = [] {
    json vocab = json::object();
    for (int byte = 0; byte < 256; ++byte) {
      vocab[bytes_to_letters(std::string(1, static_cast<char>(byte)))] = byte;
    }
    return json{{"added_tokens", {{{"id", 256}, {"content", "<s>"}, {"special", true}}}},
                {"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}}},
                {"pre_tokenizer", {{"type", "ByteLevel"}}},
                {"post_processor", {{"type", "ByteLevel"}}},
                {"decoder", {{"type", "ByteLevel"}}},
                {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array()}}}};
  }();
  expect_refused_or_working("tokenizer.json", bytes.dump(), 1, 2000);
  for (const char* name : {"llama", "t5"}) {
    expect_refused_or_working(
        "tokenizer.model",
        read_file(test::fixture(fmt::format("tokenizers/sentencepiece/{}.model", name))), 2, 2000);
  }
  test::GgufWriter gguf;
  gguf.add("tokenizer.ggml.model", "llama")
      .add("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>", "a", "\u2581"})
      .add("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -1, -2})
      .add("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 1, 1})
      .add("tokenizer.ggml.bos_token_id", std::uint32_t{1})
      .add("tokenizer.chat_template", "{{ messages }}");
  expect_refused_or_working("model.gguf", gguf.content(), 3, 2000);
}

// Every value of a tokenizer.json in turn becomes something else.
TEST(DamagedTokenizer, WrongTypesAndAbsurdNumbersAreRefused) {
  std::ifstream file(test::fixture("tokenizers/components/cases.jsonl"));
  std::string line;
  std::getline(file, line);
  const test::TempFolder folder;
  const std::vector<json> strangers{nullptr,
                                    true,
                                    -1,
                                    std::uint64_t{1} << 63,
                                    1e300,
                                    "",
                                    "x",
                                    json::array(),
                                    json::object(),
                                    json::array({json::array()})};
  std::mt19937 random(5);
  int refused = 0;
  while (std::getline(file, line)) {
    json content = json::parse(line)["tokenizer"];
    if (content["model"].is_string()) {
      content["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", {{"<unk>", 0.0}}}};
    }
    const json flat = content.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      json altered = content;
      altered[json::json_pointer(pointer)] = strangers[random() % strangers.size()];
      const auto path = folder.write("tokenizer.json", altered.dump());
      SCOPED_TRACE(pointer + " in " + line.substr(0, 60));
      try {
        Tokenizer::load(path).encode("Hello <s> w\u00F6rld");
      } catch (const DataError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(DamagedTokenizer, DeepNestingIsRefused) {
  const test::TempFolder folder;
  std::string deep = R"({"type": "NFC"})";
  for (int i = 0; i < 5000; ++i) {
    deep = R"({"type": "Sequence", "normalizers": [)" + deep + "]}";
  }
  const auto path = folder.write(
      "tokenizer.json",
      R"({"model": {"type": "WordLevel", "vocab": {"<unk>": 0}}, "normalizer": )" + deep + "}");
  EXPECT_TRUE(
      test::contains(test::message_of<DataError>([&] { Tokenizer::load(path); }), "nested deeper"));
}

TEST(DamagedTokenizer, SaysWhereASentencePieceFileGoesWrong) {
  const test::TempFolder folder;
  const std::string content = read_file(test::fixture("tokenizers/sentencepiece/t5.model"));
  const auto refusal = [&](const std::string& bytes) {
    return test::message_of<DataError>(
        [&] { Tokenizer::load(folder.write("tokenizer.model", bytes)); });
  };
  EXPECT_TRUE(test::contains(refusal(""), "holds no pieces"));
  EXPECT_TRUE(test::contains(refusal("{\"a\": 1}"), "byte "));
  const std::string cut = refusal(content.substr(0, content.size() - 3));
  EXPECT_TRUE(test::contains(cut, "are expected"));
  EXPECT_TRUE(test::contains(cut, "tokenizer.model"));
}

}  // namespace
}  // namespace hone::tokenizer
