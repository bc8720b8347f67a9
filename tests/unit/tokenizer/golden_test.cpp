#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;
using test::fixture;
using test::has_fixture;

std::vector<json> read_cases(const std::filesystem::path& path) {
  std::vector<json> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) cases.push_back(json::parse(line));
  return cases;
}

std::vector<std::vector<std::size_t>> as_pairs(const std::vector<TextRange>& ranges) {
  std::vector<std::vector<std::size_t>> pairs;
  for (const TextRange& range : ranges) pairs.push_back({range.begin, range.end});
  return pairs;
}

// Checks one case and gives a description of what differs, or nothing.
std::string difference(const Tokenizer& tokenizer, const json& expected) {
  const std::string text = expected["text"];
  const auto ids = expected["ids"].get<std::vector<std::int32_t>>();
  const Encoding encoding = tokenizer.encode(text);
  if (encoding.ids != ids) {
    return fmt::format("ids {} instead of {}", json(encoding.ids).dump(), json(ids).dump());
  }
  const json offsets = as_pairs(to_code_points(text, encoding.offsets));
  if (offsets != expected["offsets"]) {
    return fmt::format("offsets {} instead of {}", offsets.dump(), expected["offsets"].dump());
  }
  const auto with_special = tokenizer.encode(text, {.add_special_tokens = true}).ids;
  if (with_special != expected.value("ids_with_special", ids)) {
    return fmt::format("with special tokens {}", json(with_special).dump());
  }
  const std::string decode = expected["decode"];
  if (tokenizer.decode(ids) != decode) return "decodes to " + tokenizer.decode(ids);
  if (tokenizer.decode(ids, true) != expected.value("decode_skip_special", decode)) {
    return "decodes without special tokens to " + tokenizer.decode(ids, true);
  }
  return {};
}

void expect_agreement(const Tokenizer& tokenizer, const std::vector<json>& cases) {
  ASSERT_FALSE(cases.empty());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(difference(tokenizer, cases[i]), "") << "case " << i << ": " << cases[i]["text"];
  }
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, AgreesOnEveryCase) {
  const std::string folder = std::string("tokenizers/") + GetParam();
  if (!has_fixture(folder + "/tokenizer.json")) GTEST_SKIP() << "needs HONE_GOLDEN";
  const Tokenizer tokenizer = Tokenizer::load(fixture(folder + "/tokenizer.json"));
  expect_agreement(tokenizer, read_cases(fixture(folder + "/cases.jsonl")));
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden,
                         testing::Values("smollm2", "gpt2_bytelevel", "qwen2_nfc",
                                         "gemma_byte_fallback", "llama2_byte_fallback",
                                         "t5_unigram"),
                         [](const auto& param_info) { return std::string(param_info.param); });

// The same vocabulary in a GGUF file, read without any tokenizer.json.
TEST(TokenizerGolden, GgufGivesTheSameIds) {
  const auto gguf = test::source_folder() / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(gguf)) GTEST_SKIP() << "needs the model of tools/setup";
  expect_agreement(Tokenizer::load(gguf), read_cases(fixture("tokenizers/smollm2/cases.jsonl")));
}

}  // namespace
}  // namespace hone::tokenizer
