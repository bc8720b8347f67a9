#include "tokenizer/named_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/error.h"
#include "support/support.h"

namespace hone::tokenizer {
namespace {

/// tests/data/chat/named.jsonl: what the reference Jinja2 makes of our templates.
TEST(NamedTemplates, RenderAsInTheReferenceJinja) {
  std::ifstream file(test::source_folder() / "tests/data/chat/named.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const OrderedJson inputs = OrderedJson::parse(line);
  std::set<std::string> seen;
  while (std::getline(file, line)) {
    SCOPED_TRACE(line);
    const OrderedJson expected = OrderedJson::parse(line);
    const std::string name = expected["template"];
    seen.insert(name);
    const ChatTemplate chat_template{std::string(find_named_template(name)->source)};
    RenderOptions options;
    options.add_generation_prompt = expected["add_generation_prompt"];
    if (expected["tools"]) options.tools = inputs["tools"];
    options.variables = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    const OrderedJson& messages =
        inputs["conversations"][expected["conversation"].get<std::string>()];
    if (expected.contains("error")) {
      const std::string error = expected["error"];
      EXPECT_TRUE(test::contains(
          test::message_of<DataError>([&] { chat_template.render(messages, options); }), error));
    } else {
      EXPECT_EQ(chat_template.render(messages, options).text, expected["text"].get<std::string>());
    }
  }
  EXPECT_EQ(seen.size(), named_templates().size());
}

TEST(NamedTemplates, AreFoundByName) {
  EXPECT_EQ(find_named_template("chatml")->name, "chatml");
  EXPECT_EQ(find_named_template("chatlm"), nullptr);
  EXPECT_TRUE(template_names().starts_with("chatml, llama2, llama3, "));
}

}  // namespace
}  // namespace hone::tokenizer
