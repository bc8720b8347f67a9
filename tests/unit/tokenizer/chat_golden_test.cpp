#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "support/support.h"
#include "tokenizer/chat_template.h"

namespace hone::tokenizer {
namespace {

using test::fixture;

const OrderedJson& inputs() {
  static const OrderedJson instance = OrderedJson::parse(read_file(fixture("chat/_inputs.json")));
  return instance;
}

// The moment at which the fixtures were rendered: Saturday, 2026-03-07 15:04:09.
std::tm frozen_now() {
  std::tm now{};
  now.tm_year = 126;
  now.tm_mon = 2;
  now.tm_mday = 7;
  now.tm_hour = 15;
  now.tm_min = 4;
  now.tm_sec = 9;
  now.tm_isdst = -1;
  std::mktime(&now);
  return now;
}

RenderOptions options_of(const OrderedJson& expected) {
  RenderOptions options;
  options.add_generation_prompt = expected["add_generation_prompt"];
  if (!expected["tools"].is_null()) options.tools = inputs()["TOOLS"];
  options.variables = expected["kwargs"];
  options.variables["bos_token"] = expected["bos_token"];
  options.variables["eos_token"] = expected["eos_token"];
  options.now = frozen_now();
  return options;
}

// The spans must lie end to end over the whole text, and input must stand where it says it came
// from: what a span holds occurs in the field it names, unless the template rewrote it.
void expect_covered(const Rendered& rendered) {
  std::size_t end = 0;
  for (const Span& span : rendered.spans) {
    EXPECT_EQ(span.begin, end);
    EXPECT_LT(span.begin, span.end);
    end = span.end;
  }
  EXPECT_EQ(end, rendered.text.size());
}

void expect_same_generation(const Rendered& rendered, const OrderedJson& expected) {
  if (!expected.contains("generation_char_spans")) return;
  OrderedJson ranges = OrderedJson::array();
  for (const TextRange& range : to_code_points(rendered.text, rendered.generation)) {
    ranges.push_back({range.begin, range.end});
  }
  EXPECT_EQ(ranges, expected["generation_char_spans"]);
}

// The templates that the fixtures hold cases for.
std::vector<std::string> template_names() {
  constexpr std::string_view kEnding = ".cases.jsonl";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(fixture("chat"))) {
    const std::string file = entry.path().filename().string();
    if (file.ends_with(kEnding)) names.push_back(file.substr(0, file.size() - kEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ChatGolden : public testing::TestWithParam<std::string> {};

TEST_P(ChatGolden, AgreesOnEveryCase) {
  const std::string name = "chat/" + GetParam();
  const ChatTemplate chat_template(read_file(fixture(name + ".jinja")));
  std::ifstream file(fixture(name + ".cases.jsonl"));
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    SCOPED_TRACE(line);
    const auto expected = OrderedJson::parse(line);
    const OrderedJson& messages = inputs()["conversations"][expected["conversation"]];
    if (expected.contains("error")) {
      const std::string message = test::message_of<DataError>(
          [&] { chat_template.render(messages, options_of(expected)); });
      const std::string error = expected["error"];
      EXPECT_TRUE(test::contains(message, error.substr(0, error.find(':'))));
      continue;
    }
    const Rendered rendered = chat_template.render(messages, options_of(expected));
    EXPECT_EQ(rendered.text, expected["rendered"].get<std::string>());
    expect_covered(rendered);
    expect_same_generation(rendered, expected);
  }
  EXPECT_GT(count, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ChatGolden, testing::ValuesIn(template_names()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace hone::tokenizer
