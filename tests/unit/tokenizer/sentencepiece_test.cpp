#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

std::filesystem::path model_file(const std::string& name) {
  return test::fixture("tokenizers/sentencepiece/" + name + ".model");
}

class SentencePieceModel : public testing::TestWithParam<const char*> {};

TEST_P(SentencePieceModel, AgreesWithTheLibrary) {
  const Tokenizer tokenizer = Tokenizer::load(model_file(GetParam()));
  std::ifstream file(
      test::fixture(std::string("tokenizers/sentencepiece/") + GetParam() + ".jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const json texts = json::parse(line)["texts"];
  for (const std::string text : texts) {
    ASSERT_TRUE(std::getline(file, line));
    const json expected = json::parse(line);
    // The library takes control pieces in a text for text.
    const Ids ids = tokenizer.encode(text, {.literal = {{0, text.size()}}}).ids;
    EXPECT_EQ(ids, expected[0].get<Ids>()) << json(text);
    if (expected[1].is_null()) continue;
    EXPECT_EQ(tokenizer.decode(ids), expected[1].get<std::string>()) << json(text);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SentencePieceModel, testing::Values("llama", "t5", "suffix", "plain"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace hone::tokenizer
