#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "support/support.h"
#include "tokenizer/named_template.h"
#include "tokenizer/turns.h"

namespace hone::tokenizer {
namespace {

OrderedJson fixture_inputs() {
  return OrderedJson::parse(read_file(test::fixture("chat/_inputs.json")));
}

/// The named templates, and those of the fixtures.
std::vector<std::pair<std::string, std::string>> all_sources() {
  std::vector<std::pair<std::string, std::string>> sources;
  for (const NamedTemplate& named : named_templates())
    sources.emplace_back(named.name, named.source);
  for (const auto& entry : std::filesystem::directory_iterator(test::fixture("chat")))
    if (entry.path().extension() == ".jinja")
      sources.emplace_back(entry.path().filename().string(), read_file(entry.path()));
  return sources;
}

RenderOptions options_with(const OrderedJson& tools) {
  RenderOptions options;
  options.tools = tools;
  options.variables = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  options.now = std::tm{};
  return options;
}

std::vector<Beginning> all_beginnings(std::size_t messages) {
  std::vector<Beginning> beginnings;
  for (std::size_t count = 0; count <= messages; ++count) {
    beginnings.push_back({count, false});
    beginnings.push_back({count, true});
  }
  return beginnings;
}

/// The same by the definition: each beginning rendered by itself.
BeginningRendered by_itself(const ChatTemplate& chat_template, const OrderedJson& messages,
                            RenderOptions options, const std::string& whole,
                            const Beginning& beginning) {
  options.add_generation_prompt = beginning.add_generation_prompt;
  OrderedJson first = OrderedJson::array();
  for (std::size_t i = 0; i < beginning.count; ++i) first.push_back(messages[i]);
  try {
    const std::string text = chat_template.render(first, options).text;
    std::size_t shared = 0;
    while (shared < std::min(text.size(), whole.size()) && text[shared] == whole[shared]) ++shared;
    return {false, shared, shared == text.size()};
  } catch (const DataError&) {
    return {true, 0, false};
  }
}

TEST(Beginnings, AreWhatRenderingThemAloneGives) {
  const OrderedJson inputs = fixture_inputs();
  int compared = 0;
  for (const auto& [name, source] : all_sources()) {
    const ChatTemplate chat_template(source);
    for (const auto& [conversation, messages] : inputs["conversations"].items()) {
      for (const OrderedJson& tools : {OrderedJson(), inputs["TOOLS"]}) {
        SCOPED_TRACE(name + ", " + conversation);
        const RenderOptions options = options_with(tools);
        Rendered rendered;
        try {
          rendered = chat_template.render(messages, options);
        } catch (const DataError&) {
          continue;
        }
        const auto beginnings = all_beginnings(messages.size());
        const auto results =
            chat_template.render_beginnings(messages, options, rendered, beginnings);
        ASSERT_EQ(results.size(), beginnings.size());
        for (std::size_t i = 0; i < results.size(); ++i, ++compared) {
          const BeginningRendered expected =
              by_itself(chat_template, messages, options, rendered.text, beginnings[i]);
          EXPECT_EQ(results[i].is_refused, expected.is_refused) << i;
          EXPECT_EQ(results[i].shared, expected.shared) << i;
          EXPECT_EQ(results[i].is_prefix, expected.is_prefix) << i;
        }
      }
    }
  }
  EXPECT_GT(compared, 1000);
}

TEST(Beginnings, NeedOnePassOfTheNamedTemplates) {
  for (const NamedTemplate& named : named_templates())
    EXPECT_TRUE(ChatTemplate(std::string(named.source)).renders_beginnings_at_once()) << named.name;
}

TEST(Beginnings, NeedMoreWhereTheTemplateLooksAhead) {
  const auto at_once = [](const std::string& source) {
    return ChatTemplate(source).renders_beginnings_at_once();
  };
  const auto loop = [](const std::string& body) {
    return "{% for m in messages %}" + body + "{% endfor %}";
  };
  EXPECT_TRUE(at_once(loop("{{ m.content }}{{ loop.index0 }}{{ messages[0].role }}")));
  EXPECT_TRUE(at_once(loop("{% for c in m.calls %}{{ loop.last }}{% endfor %}")));
  EXPECT_TRUE(
      at_once("{% set rest = messages[1:] %}{% for m in rest %}{{ m.content }}{% endfor %}"
              "{{ messages[-1].role if add_generation_prompt }}"));
  EXPECT_FALSE(at_once(loop("{{ loop.last }}")));
  EXPECT_FALSE(at_once(loop("{{ loop.length }}")));
  EXPECT_FALSE(at_once(loop("{{ loop.nextitem }}")));
  EXPECT_FALSE(at_once(loop("{{ f(loop) }}")));
  EXPECT_FALSE(at_once(loop("{{ messages[loop.index0 + 1].role }}")));
  EXPECT_FALSE(at_once(loop("{{ messages | length }}")));
  EXPECT_FALSE(at_once(loop("{{ 'x' if add_generation_prompt }}")));
  EXPECT_FALSE(at_once("{% set n = messages | length %}" + loop("{{ n }}")));
  EXPECT_FALSE(at_once("{% set all = messages %}" + loop("{{ all[-1] }}")));
  EXPECT_FALSE(at_once("{% set all = messages %}" + loop("x") + "{{ all | length }}"));
  EXPECT_FALSE(at_once("{% macro f() %}{{ messages[-1].role }}{% endmacro %}" + loop("{{ f() }}")));
  EXPECT_FALSE(at_once("{% set spaces = [namespace(n=0)] %}" + loop("{{ m.content }}")));
  EXPECT_FALSE(at_once("{{ messages[0].content }}"));
}

/// Each state that a loop can leave behind has to be put back before the next message.
TEST(Beginnings, DoNotDisturbTheRendering) {
  const ChatTemplate chat_template(
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }}"
      "{{ m.content }}{% endfor %}{% set ns.n = 100 %}{% set n = ns.n %}<{{ n }}>");
  OrderedJson messages = OrderedJson::array();
  for (int i = 0; i < 4; ++i)
    messages.push_back({{"role", i % 2 ? "assistant" : "user"}, {"content", "x"}});
  const RenderOptions options = options_with({});
  const Rendered rendered = chat_template.render(messages, options);
  EXPECT_EQ(rendered.text, "1x2x3x4x<100>");
  const auto results = chat_template.render_beginnings(messages, options, rendered,
                                                       {{1, true}, {2, false}, {3, true}});
  EXPECT_EQ(results[0].shared, 2u);
  EXPECT_EQ(results[1].shared, 4u);
  EXPECT_EQ(results[2].shared, 6u);
}

/// Rendering a beginning for each turn would take minutes.
TEST(Turns, OfALongConversationTakeLinearTime) {
  OrderedJson messages = OrderedJson::array();
  for (int i = 0; i < 2000; ++i)
    messages.push_back({{"role", i % 2 ? "assistant" : "user"},
                        {"content", "message number " + std::to_string(i)}});
  for (const NamedTemplate& named : named_templates()) {
    const ChatTemplate chat_template{std::string(named.source)};
    const RenderOptions options = options_with({});
    const Rendered rendered = chat_template.render(messages, options);
    const auto begin = std::chrono::steady_clock::now();
    const auto turns = find_assistant_turns(chat_template, messages, options, rendered,
                                            {{"<|im_end|>", "</s>"}, {"</s>"}});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    ASSERT_EQ(turns.size(), 1000u) << named.name;
    for (const Turn& turn : turns) ASSERT_TRUE(turn.prefix_ok) << named.name;
    EXPECT_LT(taken.count(), 10) << named.name;
  }
}

}  // namespace
}  // namespace hone::tokenizer
