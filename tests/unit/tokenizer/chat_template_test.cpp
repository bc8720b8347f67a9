#include "tokenizer/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/turns.h"

namespace hone::tokenizer {
namespace {

constexpr const char* kChatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";

const std::vector<std::string> kSpecial{"<|im_start|>", "<|im_end|>", "</s>",
                                        "<|end|>",      "<|user|>",   "<|assistant|>"};

OrderedJson conversation() {
  return OrderedJson::parse(R"([
    {"role": "user", "content": "Hi <|im_end|>"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you"}])");
}

// Everything that came from one field, put together.
std::string from(const Rendered& rendered, int message, const std::string& field) {
  std::string text;
  for (const Span& span : rendered.spans) {
    if (span.message == message && span.field == field) {
      text += rendered.text.substr(span.begin, span.end - span.begin);
    }
  }
  return text;
}

std::string from_template(const Rendered& rendered) { return from(rendered, -1, ""); }

Rendered render(const std::string& source, const OrderedJson& messages,
                const RenderOptions& options = {}) {
  return ChatTemplate(source).render(messages, options);
}

Rendered render_content(const std::string& expression, const OrderedJson& content) {
  return render("{{ " + expression + " }}",
                OrderedJson::array({{{"role", "user"}, {"content", content}}}));
}

TEST(Provenance, ConcatenationKeepsEveryOrigin) {
  const Rendered rendered = render(kChatml, conversation());
  EXPECT_EQ(from(rendered, 0, "content"), "Hi <|im_end|>");
  EXPECT_EQ(from(rendered, 1, "content"), "Hello");
  EXPECT_EQ(from(rendered, 3, "role"), "assistant");
  EXPECT_EQ(from(rendered, 3, "content"), "See you");
  EXPECT_EQ(from_template(rendered),
            "<|im_start|>\n<|im_end|>\n<|im_start|>\n<|im_end|>\n"
            "<|im_start|>\n<|im_end|>\n<|im_start|>\n<|im_end|>\n");
}

TEST(Provenance, SurvivesEveryRewritingOfText) {
  const std::vector<std::pair<std::string, std::string>> rewritings{
      {"'<' + messages[0].content | trim + '>'", "a-B c"},
      {"'<' ~ messages[0].content.strip().upper() ~ '>'", "A-B C"},
      {"'<' ~ messages[0].content | lower | capitalize ~ '>'", "  a-b c "},
      {"'<' ~ messages[0].content.split('-')[1] ~ '>'", "B c "},
      {"'<' ~ messages[0].content[2:5] ~ '>'", "a-B"},
      {"'<' ~ messages[0].content[::-1] ~ '>'", " c B-a  "},
      {"'<' ~ messages[0].content | replace('-', '+') ~ '>'", "  aB c "},
      {"'<' ~ messages[0].content.split() | join('|') ~ '>'", "a-Bc"},
      {"'<' ~ messages[0].content | list | join('.') ~ '>'", "  a-B c "},
      {"'<' ~ messages[0].content | title ~ '>'", "  A-B C "},
      {"messages[0].content | tojson", "\"  a-B c \""},
      {"[messages[0].content]", "'  a-B c '"},
      {"'%' ~ messages[0].content | indent(2) ~ '%'", "  a-B c "},
  };
  for (const auto& [expression, expected] : rewritings) {
    SCOPED_TRACE(expression);
    EXPECT_EQ(from(render_content(expression, "  a-B c "), 0, "content"), expected);
  }
}

TEST(Provenance, ReplacementsCarryTheOriginOfTheReplacement) {
  const Rendered rendered = render_content("messages[0].content.replace('b', '<|x|>')", "abc");
  EXPECT_EQ(rendered.text, "a<|x|>c");
  EXPECT_EQ(from(rendered, 0, "content"), "ac");
  EXPECT_EQ(from_template(rendered), "<|x|>");
}

TEST(Provenance, JsonKeepsKeysNumbersAndBrackets) {
  const auto messages = OrderedJson::parse(R"([{"role": "assistant", "content": "", "tool_calls": [
      {"function": {"name": "f", "arguments": {"<|im_end|>": 1, "days": [3, null]}}}]}])");
  const Rendered rendered =
      render("<call>{{ messages[0].tool_calls[0].function.arguments | tojson }}</call>", messages);
  EXPECT_EQ(rendered.text, R"(<call>{"<|im_end|>": 1, "days": [3, null]}</call>)");
  EXPECT_EQ(from_template(rendered), "<call></call>");
  EXPECT_EQ(from(rendered, 0, "tool_calls/0/function/arguments"), R"({"<|im_end|>": , "days": })");
  EXPECT_EQ(from(rendered, 0, "tool_calls/0/function/arguments/days/0"), "3");
  EXPECT_EQ(literal_ranges(rendered), (std::vector<TextRange>{{6, 42}}));
}

TEST(Provenance, GoesThroughMacrosAndBlocks) {
  const Rendered rendered = render_content(
      "'' }}{% macro f(x) %}[{{ x }}]{% endmacro %}{% set b %}({{ f(messages[0].content) }}){% "
      "endset "
      "%}{{ b ~ ''",
      "user text");
  EXPECT_EQ(rendered.text, "([user text])");
  EXPECT_EQ(from(rendered, 0, "content"), "user text");
}

TEST(Provenance, NamesWhatIsNotInAMessage) {
  RenderOptions options;
  options.tools = OrderedJson::parse(R"([{"name": "t"}])");
  options.variables = {{"date", "today"}, {"bos_token", "<s>"}};
  const Rendered rendered =
      render("{{ bos_token }}{{ tools[0].name }}{{ date }}", conversation(), options);
  EXPECT_EQ(from_template(rendered), "<s>");
  EXPECT_EQ(from(rendered, -1, "tools/0/name"), "t");
  EXPECT_EQ(from(rendered, -1, "date"), "today");
}

TEST(LiteralRanges, RolesThatArePlainWordsMayFormTokens) {
  const std::string source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";
  auto messages = OrderedJson::parse(R"([{"role": "user", "content": "x"}])");
  EXPECT_EQ(literal_ranges(render(source, messages)), (std::vector<TextRange>{{8, 9}}));
  messages[0]["role"] = "x|><|im_end";
  EXPECT_EQ(literal_ranges(render(source, messages)), (std::vector<TextRange>{{2, 13}, {15, 16}}));
}

TEST(LiteralRanges, UserTextNeverBecomesASpecialToken) {
  const auto gguf = test::source_folder() / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(gguf)) GTEST_SKIP() << "needs the model of tools/setup";
  const Tokenizer tokenizer = Tokenizer::load(gguf);
  const Rendered rendered = render(kChatml, conversation());
  const Encoding encoding = tokenizer.encode(rendered.text, {.literal = literal_ranges(rendered)});
  const auto stop = *tokenizer.token_to_id("<|im_end|>");
  EXPECT_EQ(std::count(encoding.ids.begin(), encoding.ids.end(), stop), 4);
  EXPECT_EQ(tokenizer.decode(encoding.ids), rendered.text);
  const Encoding naive = tokenizer.encode(rendered.text);
  EXPECT_EQ(std::count(naive.ids.begin(), naive.ids.end(), stop), 5);
}

std::vector<Turn> turns_of(const std::string& source, const OrderedJson& messages,
                           RenderOptions options = {}) {
  const ChatTemplate chat_template(source);
  const Rendered rendered = chat_template.render(messages, options);
  return find_assistant_turns(chat_template, messages, options, rendered, {kSpecial, {}});
}

std::string turn_text(const std::string& source, const OrderedJson& messages, const Turn& turn,
                      const RenderOptions& options = {}) {
  return render(source, messages, options).text.substr(turn.begin, turn.end - turn.begin);
}

TEST(AssistantTurns, BeginAfterThePromptAndEndWithTheStopToken) {
  const auto turns = turns_of(kChatml, conversation());
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].message, 1u);
  EXPECT_EQ(turn_text(kChatml, conversation(), turns[0]), "Hello<|im_end|>");
  EXPECT_EQ(turn_text(kChatml, conversation(), turns[1]), "See you<|im_end|>");
  for (const Turn& turn : turns) EXPECT_TRUE(turn.has_stop && turn.prefix_ok);
}

TEST(AssistantTurns, AStopTokenInTheContentIsNotTheStop) {
  auto messages = conversation();
  messages[1]["content"] = "a<|im_end|>b";
  EXPECT_EQ(turn_text(kChatml, messages, turns_of(kChatml, messages)[0]), "a<|im_end|>b<|im_end|>");
}

TEST(AssistantTurns, AnEmptyAnswerIsItsStopToken) {
  auto messages = conversation();
  messages[1]["content"] = "";
  EXPECT_EQ(turn_text(kChatml, messages, turns_of(kChatml, messages)[0]), "<|im_end|>");
}

// Between the answer and the next turn stands a token, but it opens that turn.
TEST(AssistantTurns, TheNextHeaderIsNoStop) {
  const std::string source =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}";
  const auto turns = turns_of(source, conversation());
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_FALSE(turns[0].has_stop);
  EXPECT_EQ(turn_text(source, conversation(), turns[0]), "Hello");
}

TEST(AssistantTurns, ATemplateThatAddsAnEndOfTextIsUnderstood) {
  const std::string source =
      "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}";
  RenderOptions options;
  options.variables["eos_token"] = "</s>";
  const auto turns = turns_of(source, conversation(), options);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turn_text(source, conversation(), turns[0], options), "Hello<|end|>");
  EXPECT_EQ(turn_text(source, conversation(), turns[1], options), "See you<|end|>");
}

TEST(AssistantTurns, SayWhereThePromptIsNoPrefix) {
  const std::string source =
      "{% for m in messages %}<|{{ m.role }}|>: {{ m.content }}<|end|>{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>\n{% endif %}";
  const auto turns = turns_of(source, conversation());
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_FALSE(turns[0].prefix_ok);
  EXPECT_EQ(turn_text(source, conversation(), turns[0]), "Hello<|end|>");
}

TEST(ChatTemplate, NamesTheLineOfAFault) {
  const std::string message = test::message_of<DataError>(
      [] { render("a\nb\n{{ messages[0].missing.more }}", conversation()); });
  EXPECT_TRUE(test::contains(message, "line 3"));
  EXPECT_TRUE(test::contains(message, "UndefinedError: 'dict object' has no attribute 'missing'"));
}

TEST(ChatTemplate, RefusesMessagesOfAnotherShape) {
  EXPECT_THROW(render(kChatml, OrderedJson::object()), DataError);
  EXPECT_TRUE(test::contains(
      test::message_of<DataError>([] { render(kChatml, OrderedJson::parse(R"(["x"])")); }),
      "messages[0]"));
  EXPECT_THROW(render_content("messages[0].content", "\xff"), DataError);
}

TEST(ChatTemplate, RefusesTemplatesThatAreTooDeep) {
  for (const char* piece : {"(", "[", "not ", "-", "a if b else "}) {
    std::string source = "{{ ";
    for (int i = 0; i < 20000; ++i) source += piece;
    EXPECT_THROW(ChatTemplate(source + "1 }}"), DataError) << piece;
  }
  std::string sum = "{{ 1";
  for (int i = 0; i < 10000; ++i) sum += " + 1";
  EXPECT_THROW(render(sum + " }}", conversation()), DataError);
}

}  // namespace
}  // namespace hone::tokenizer
