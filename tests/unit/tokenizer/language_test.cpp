#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/chat_template.h"

namespace hone::tokenizer {
namespace {

// Snippets of the template language with what Python's Jinja makes of each. Where Python raises,
// hone must refuse; the kind of the error need not be the same one.
void expect_agreement(const std::string& name, int at_least) {
  std::ifstream file(test::source_folder() / "tests/data/chat" / name);
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
  EXPECT_GT(count, at_least);
}

TEST(TemplateLanguage, AgreesWithTransformersJinja) { expect_agreement("language.jsonl", 200); }

TEST(TemplateLanguage, HasTheGrammarOfTheReferenceJinja) { expect_agreement("syntax.jsonl", 100); }

TEST(TemplateLanguage, SaysWhatItCannotTakeIn) {
  const auto refusal = [](const std::string& source) {
    return test::message_of<DataError>([&] { ChatTemplate{source}; });
  };
  EXPECT_TRUE(test::contains(refusal("a\n{% include 'x.jinja' %}"),
                             "chat template, line 2: UnsupportedError: {% include %} takes in "
                             "another template, and a chat template stands alone"));
  EXPECT_TRUE(test::contains(refusal("{% from 'x' import y %}"), "{% from %} takes in another"));
  EXPECT_TRUE(test::contains(refusal("{% for x in y recursive %}{% endfor %}"),
                             "recursive loops are not supported; write a macro"));
  EXPECT_TRUE(test::contains(refusal("{{ '\\N{BULLET}' }}"), "characters by name"));
  EXPECT_TRUE(test::contains(refusal("{% trans %}"), "Encountered unknown tag 'trans'."));
}

}  // namespace
}  // namespace hone::tokenizer
