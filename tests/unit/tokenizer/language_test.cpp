#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/chat_template.h"

namespace hone::tokenizer {
namespace {

// Snippets of the template language with what transformers' Jinja makes of each. Where Python
// raises, hone must refuse; the kind of the error need not be the same one.
TEST(TemplateLanguage, AgreesWithPythonsJinja) {
  std::ifstream file(test::source_folder() / "tests/data/chat/language.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  RenderOptions options;
  options.variables = OrderedJson::parse(line)["variables"];
  const OrderedJson messages = options.variables["messages"];
  options.variables.erase("messages");
  int count = 0;
  for (; std::getline(file, line); ++count) {
    SCOPED_TRACE(line);
    const OrderedJson expected = OrderedJson::parse(line);
    const std::string source = expected["template"];
    if (expected.contains("error")) {
      EXPECT_THROW(ChatTemplate(source).render(messages, options), DataError);
      continue;
    }
    try {
      EXPECT_EQ(ChatTemplate(source).render(messages, options).text,
                expected["text"].get<std::string>());
    } catch (const DataError& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GT(count, 200);
}

}  // namespace
}  // namespace hone::tokenizer
