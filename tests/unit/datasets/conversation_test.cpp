#include "datasets/conversation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;

std::string refusal(const std::string& row) {
  return test::message_of<DataError>([&] { read_conversation(Json::parse(row)); });
}

TEST(Conversation, MayHaveToolsAndCallThem) {
  EXPECT_NO_THROW(read_conversation(Json::parse(R"({"messages":[
      {"role":"system","content":""},
      {"role":"user","content":"Weather?"},
      {"role":"assistant","content":null,"tool_calls":[{"function":{"name":"w","arguments":{}}}]},
      {"role":"tool","name":"w","content":"{}"},
      {"role":"assistant","content":"Rain."}],
      "tools":[{"type":"function"}],"id":7})")));
  EXPECT_NO_THROW(read_conversation(
      Json::parse(R"({"messages":[{"role":"assistant","content":"x"}],"tools":null})")));
}

TEST(Conversation, TakesOutWhatIsNoTemplatesBusiness) {
  const Conversation conversation = read_conversation(Json::parse(R"({"messages":[
      {"role":"user","content":"a","train":true},
      {"role":"assistant","content":"b","weight":0.5}],
      "chat_template_kwargs":{"enable_thinking":false}})"));
  EXPECT_EQ(conversation.messages, Json::parse(R"([{"role":"user","content":"a"},
      {"role":"assistant","content":"b"}])"));
  EXPECT_EQ(conversation.training[0].train, true);
  EXPECT_EQ(conversation.training[0].weight, std::nullopt);
  EXPECT_EQ(conversation.training[1].weight, 0.5f);
  EXPECT_EQ(conversation.variables, Json::parse(R"({"enable_thinking":false})"));
}

TEST(Conversation, ReadsArgumentsThatCameAsText) {
  const auto arguments = [](const std::string& value) {
    return read_conversation(
               Json::parse(
                   R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"function":)"
                   R"({"name":"f","arguments":)" +
                   value + "}}]}]}"))
        .messages[0]["tool_calls"][0]["function"]["arguments"];
  };
  EXPECT_EQ(arguments(R"("{\"b\": 1, \"a\": [2]}")").dump(), R"({"b":1,"a":[2]})");
  EXPECT_EQ(arguments(R"({"b":1})").dump(), R"({"b":1})");
  EXPECT_EQ(arguments(R"("")").dump(), "{}");
}

TEST(Conversation, SaysWhatIsWrong) {
  const auto says = [](const std::string& messages, const std::string& part) {
    EXPECT_TRUE(test::contains(refusal("{\"messages\":" + messages + "}"), part));
  };
  says("{}", "\"messages\" is object, expected an array of messages");
  says("[]", "\"messages\" is empty");
  says(R"(["hi"])", "messages[0] is string, expected {\"role\"");
  says(R"([{"content":"hi"}])", "messages[0] has no \"role\"");
  says(R"([{"role":1,"content":"hi"}])", "messages[0].role is number, expected text");
  says(R"([{"role":"human","content":"hi"}])", "\"human\" is called \"user\"");
  says(R"([{"role":"wizard","content":"hi"}])", "is \"wizard\", expected one of system, developer");
  says(R"([{"role":"user","content":"hi"},{"role":"assistant"}])",
       "messages[1] has no \"content\"");
  says(R"([{"role":"user","content":null,"tool_calls":[{}]}])", "messages[0] has no \"content\"");
  says(R"([{"role":"assistant","content":null,"tool_calls":[]}])", "has no \"content\"");
  says(R"([{"role":"user","content":7}])", "messages[0].content is number, expected text");
  says(R"([{"role":"user","content":["hi"]}])", "messages[0].content[0] is string, expected {");
  says(R"([{"role":"user","content":[{"text":"hi"}]}])",
       "messages[0].content[0] is an object without a \"type\"");
  says(R"([{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url"}]}])",
       "messages[0].content[1] is of type \"image_url\", and hone trains on text alone");
  says(R"([{"role":"user","content":[{"type":"text"}]}])", "content[0] has no \"text\"");
  says(R"([{"role":"assistant","content":"","train":1}])",
       "messages[0].train is 1, expected true or false");
  says(R"([{"role":"assistant","content":"","weight":-1}])",
       "messages[0].weight is -1, expected a number of 0 or more");
  says(R"([{"role":"assistant","content":"","tool_calls":{}}])", "tool_calls is object, expected");
  says(R"([{"role":"assistant","content":"","tool_calls":[{"function":{"arguments":"[1"}}]}])",
       "messages[0].tool_calls[0].function.arguments is text, and not that of a JSON object: [1");
  EXPECT_TRUE(test::contains(refusal(R"({"messages":[{"role":"assistant","content":"x"}],)"
                                     R"("chat_template_kwargs":{"eos_token":"x"}})"),
                             "chat_template_kwargs.eos_token would stand for a special token"));
  EXPECT_TRUE(
      test::contains(refusal(R"({"messages":[{"role":"assistant","content":"x"}],"tools":"t"})"),
                     "\"tools\" is string, expected an array"));
}

}  // namespace
}  // namespace hone::datasets
