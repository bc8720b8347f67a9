#include "datasets/conversation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;

std::string refusal(const std::string& row) {
  return test::message_of<DataError>([&] { check_conversation(Json::parse(row)); });
}

TEST(Conversation, MayHaveToolsAndCallThem) {
  EXPECT_NO_THROW(check_conversation(Json::parse(R"({"messages":[
      {"role":"system","content":""},
      {"role":"user","content":"Weather?"},
      {"role":"assistant","content":null,"tool_calls":[{"function":{"name":"w","arguments":{}}}]},
      {"role":"tool","name":"w","content":"{}"},
      {"role":"assistant","content":"Rain."}],
      "tools":[{"type":"function"}],"id":7})")));
  EXPECT_NO_THROW(check_conversation(
      Json::parse(R"({"messages":[{"role":"assistant","content":"x"}],"tools":null})")));
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
  says(R"([{"role":"user","content":["hi"]}])", "messages[0].content is array, expected text");
  says(R"([{"role":"user","content":"hi"}])", "no message has the role \"assistant\"");
  EXPECT_TRUE(
      test::contains(refusal(R"({"messages":[{"role":"assistant","content":"x"}],"tools":"t"})"),
                     "\"tools\" is string, expected an array"));
}

}  // namespace
}  // namespace hone::datasets
