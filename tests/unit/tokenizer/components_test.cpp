#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

using nlohmann::json;

constexpr const char* kCases = "tokenizers/components/cases.jsonl";

json flatten(const std::vector<TextRange>& ranges) {
  json flat = json::array();
  for (const TextRange& range : ranges) {
    flat.push_back(range.begin);
    flat.push_back(range.end);
  }
  return flat;
}

// What hone makes of a text, in the form of the cases.
json result_of(const Tokenizer& tokenizer, const std::string& text) {
  const Encoding encoding = tokenizer.encode(text, {.add_special_tokens = true});
  return {encoding.ids, flatten(to_code_points(text, encoding.offsets)),
          encoding.ids.empty() ? "" : tokenizer.decode(encoding.ids)};
}

// Every component of Hugging Face tokenizers, alone and in company, over texts of odd Unicode.
TEST(TokenizerComponents, AgreeWithHuggingFace) {
  std::ifstream file(test::fixture(kCases));
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const json shared = json::parse(line);
  const test::TempFolder folder;
  int count = 0;
  while (std::getline(file, line)) {
    const json row = json::parse(line);
    json content = row["tokenizer"];
    if (content["model"].is_string()) {
      content["model"] = shared["models"][content["model"].get<std::string>()];
    }
    SCOPED_TRACE(row["name"].get<std::string>());
    const Tokenizer tokenizer = Tokenizer::load(folder.write("tokenizer.json", content.dump()));
    for (std::size_t i = 0; i < shared["texts"].size(); ++i) {
      const json& expected = row["cases"][i];
      if (expected.is_null()) continue;
      ++count;
      EXPECT_EQ(result_of(tokenizer, shared["texts"][i]), expected)
          << "text " << i << ": " << shared["texts"][i];
    }
  }
  EXPECT_GT(count, 1000);
}

}  // namespace
}  // namespace hone::tokenizer
