#include <gtest/gtest.h>

#include "base/error.h"
#include "datasets/columns.h"
#include "datasets/content.h"
#include "datasets/row_format.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using test::contains;

Row row_of(const std::string& text) { return Row::parse(text); }

Record record_of(const std::string& text) {
  Row row = row_of(text);
  const RowFormat& format = row_format_of(row);
  return to_record(std::move(row), format);
}

/// "kind value" of a row in the format that its keys say.
std::string read(const std::string& text) {
  const Record record = record_of(text);
  return fmt::format("{} {}", name_of(record.kind), record.value.dump());
}

std::string refusal(const std::string& text) {
  return test::message_of<DataError>([&] { record_of(text); });
}

TEST(RowFormats, AreRecognisedByTheirKeys) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"messages", R"({"messages":1,"id":2})"},
      {"sharegpt", R"({"conversations":1})"},
      {"alpaca", R"({"instruction":1,"input":1,"output":1})"},
      {"prompt_completion", R"({"prompt":1,"completion":1})"},
      {"text", R"({"text":1,"meta":1})"},
      {"preference", R"({"prompt":1,"chosen":1,"rejected":1})"},
      {"preference", R"({"chosen":1,"rejected":1,"margin":1})"},
      {"unpaired", R"({"prompt":1,"completion":1,"label":1})"},
      {"scored", R"({"prompt":1,"completion":1,"score":1})"},
      {"scored", R"({"messages":1,"score":1})"},
      {"stepwise", R"({"prompt":1,"completions":1,"labels":1})"},
      {"tokens", R"({"input_ids":1,"labels":1})"},
      {"tokens", R"({"prompt_ids":1,"chosen_ids":1,"rejected_ids":1})"},
      {"tokens", R"({"prompt_ids":1,"completion_ids":1,"label":1})"},
  };
  for (const auto& [name, text] : rows) EXPECT_EQ(row_format_of(row_of(text)).name, name) << text;
}

TEST(RowFormats, RefuseRowsThatCouldBeSeveral) {
  EXPECT_TRUE(contains(refusal(R"({"instruction":"a","output":"b","text":"c"})"),
                       "the formats alpaca and text; say with data.format"));
  EXPECT_TRUE(contains(refusal(R"({"messages":[],"conversations":[]})"), "messages and sharegpt"));
  EXPECT_TRUE(contains(refusal(R"({"prompt":"a","completion":"b","label":true,"score":1})"),
                       "unpaired and scored"));
  EXPECT_TRUE(contains(refusal(R"({"question":"a","answer":"b"})"),
                       "its keys are \"question\", \"answer\""));
  EXPECT_TRUE(contains(refusal(R"({"question":"a"})"), "data.columns"));
}

TEST(RowFormats, ShareGptBecomesAConversation) {
  EXPECT_EQ(read(R"({"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yo"}],)"
                 R"("system":"Be brief.","id":7})"),
            R"(conversation {"messages":[{"role":"system","content":"Be brief."},)"
            R"({"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}],"id":7})");
  EXPECT_EQ(read(R"({"conversations":[{"from":"human","value":"Sun?"},)"
                 R"({"from":"function_call","value":"{\"name\":\"w\",\"arguments\":{\"p\":1}}"},)"
                 R"({"from":"observation","value":"yes"},{"role":"assistant","content":"Yes.",)"
                 R"("weight":0.5}],"tools":"[{\"name\":\"w\"}]"})"),
            R"(conversation {"messages":[{"role":"user","content":"Sun?"},)"
            R"({"role":"assistant","content":"","tool_calls":[{"type":"function",)"
            R"("function":{"name":"w","arguments":{"p":1}}}]},{"role":"tool","content":"yes"},)"
            R"({"role":"assistant","content":"Yes.","weight":0.5}],)"
            R"("tools":[{"type":"function","function":{"name":"w"}}]})");
}

TEST(RowFormats, ShareGptNamesTheTurnThatIsWrong) {
  EXPECT_TRUE(contains(refusal(R"({"conversations":[{"from":"humam","value":"Hi"}]})"),
                       "conversations[0].from is \"humam\", expected one of human, gpt"));
  EXPECT_TRUE(
      contains(refusal(R"({"conversations":[{"from":"human"}]})"), "no text under \"value\""));
  EXPECT_TRUE(contains(refusal(R"({"conversations":[]})"), "\"conversations\" is empty"));
  EXPECT_TRUE(contains(refusal(R"({"conversations":3})"), "\"conversations\" is number"));
  EXPECT_TRUE(contains(refusal(R"({"conversations":[{"from":"function_call","value":"f x"
}]
})"),
                       "is not JSON"));
  EXPECT_TRUE(contains(refusal(R"({"conversations":[{"from":"system","value":"a"}],"system":"b"})"),
                       "keep one of them"));
}

TEST(RowFormats, AlpacaJoinsInstructionAndInputAsLlamaFactoryDoes) {
  EXPECT_EQ(read(R"({"instruction":"Add.","input":"1 2","output":"3"})"),
            R"(conversation {"messages":[{"role":"user","content":"Add.\n1 2"},)"
            R"({"role":"assistant","content":"3"}]})");
  EXPECT_EQ(read(R"({"instruction":"Hi","input":"","output":"Yo","system":"S",)"
                 R"("history":[["a","b"]]})"),
            R"(conversation {"messages":[{"role":"system","content":"S"},)"
            R"({"role":"user","content":"a"},{"role":"assistant","content":"b"},)"
            R"({"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}]})");
  EXPECT_TRUE(contains(refusal(R"({"instruction":1,"output":"x"})"), "\"instruction\" is number"));
  EXPECT_TRUE(contains(refusal(R"({"instruction":"a","output":"x","history":[["a"]]})"),
                       "history[0] is [\"a\"], expected [question, answer]"));
}

TEST(RowFormats, PromptCompletionIsTextOrMessages) {
  EXPECT_EQ(read(R"({"prompt":"2+2=","completion":"4"})"),
            R"(completion {"prompt":"2+2=","completion":"4"})");
  EXPECT_EQ(
      read(R"({"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},)"
           R"({"role":"user","content":"c"}],"completion":[{"role":"assistant","content":"d"}]})"),
      R"(conversation {"messages":[{"role":"user","content":"a"},)"
      R"({"role":"assistant","content":"b","train":false},{"role":"user","content":"c"},)"
      R"({"role":"assistant","content":"d"}]})");
  EXPECT_TRUE(contains(refusal(R"({"prompt":"a","completion":[{"role":"assistant"}]})"),
                       "write both the same way"));
}

TEST(RowFormats, PreferenceFindsAnImplicitPrompt) {
  const std::string expected =
      R"(preference {"prompt":[{"role":"user","content":"a"}],)"
      R"("chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}])";
  EXPECT_EQ(
      read(R"({"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],)"
           R"("rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]})"),
      expected + "}");
  // UltraFeedback: the prompt is given as a text as well.
  EXPECT_EQ(read(R"({"prompt":"a","chosen":[{"role":"user","content":"a"},)"
                 R"({"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},)"
                 R"({"role":"assistant","content":"c"}],"margin":"1.5"})"),
            expected + R"(,"margin":1.5})");
  EXPECT_EQ(read(R"({"chosen":"The sky is blue.","rejected":"The sky is green."})"),
            R"(preference {"prompt":"The sky is","chosen":" blue.","rejected":" green."})");
  EXPECT_EQ(read(R"({"chosen":"Né à","rejected":"Nè à"})"),  // cut between characters
            R"(preference {"prompt":"N","chosen":"é à","rejected":"è à"})");
}

TEST(RowFormats, PreferenceNeedsAPromptAndTwoAnswers) {
  EXPECT_TRUE(contains(refusal(R"({"chosen":"yes","rejected":"no"})"), "there is no prompt"));
  EXPECT_TRUE(
      contains(refusal(R"({"chosen":"a b","rejected":"a b"})"), "the pair compares nothing"));
  EXPECT_TRUE(contains(refusal(R"({"chosen":"a","rejected":[{"role":"user"}]})"), "the same way"));
  EXPECT_TRUE(contains(refusal(R"({"prompt":"p","chosen":[{"role":"assistant","content":"b"}],)"
                               R"("rejected":[{"role":"assistant","content":"c"}]})"),
                       "\"prompt\" is a text and \"chosen\" a list"));
  EXPECT_TRUE(contains(refusal(R"({"chosen":[{"role":"user","content":"a"}],)"
                               R"("rejected":[{"role":"user","content":"b"}]})"),
                       "no message in common"));
}

TEST(RowFormats, NumbersAndFlagsAreTakenFromText) {
  EXPECT_EQ(read(R"({"prompt":"p","completion":"c","label":"True"})"),
            R"(unpaired {"prompt":"p","completion":"c","label":true})");
  EXPECT_EQ(read(R"({"prompt":"p","completion":"c","score":"-0.5"})"),
            R"(scored {"prompt":"p","completion":"c","score":-0.5})");
  EXPECT_EQ(read(R"({"prompt":"p","completions":"[\"a\",\"b\"]","labels":[1,false]})"),
            R"(stepwise {"prompt":"p","completions":["a","b"],"labels":[true,false]})");
  EXPECT_EQ(read(R"({"messages":"[{\"role\":\"user\",\"content\":\"x\"}]","tools":""})"),
            R"(conversation {"messages":[{"role":"user","content":"x"}]})");
  EXPECT_TRUE(contains(refusal(R"({"prompt":"p","completion":"c","label":"maybe"})"),
                       "\"label\" is \"maybe\", expected true or false"));
  EXPECT_TRUE(contains(refusal(R"({"prompt":"p","completion":"c","score":"nan"})"), "a number"));
  EXPECT_TRUE(contains(refusal(R"({"prompt":"p","completions":["a"],"labels":[]})"), "\"labels\""));
}

TEST(RowFormats, OfTokensSayWhatTheyAreFor) {
  EXPECT_EQ(record_of(R"({"input_ids":[1]})").kind, RecordKind::kTokens);
  EXPECT_EQ(record_of(R"({"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[3]})").kind,
            RecordKind::kPreference);
  EXPECT_EQ(record_of(R"({"prompt_ids":[1],"completion_ids":[2],"label":0})").kind,
            RecordKind::kUnpaired);
}

/// A row through a record into a format and back into a record.
TEST(RowFormats, HoldWhatTheyWereGivenOnTheWayBack) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"w"}}],"source":"s"})";
  const std::string chat =
      R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"a"},)"
      R"({"role":"assistant","content":"b"}])";
  const std::string calls =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"",)"
      R"("tool_calls":[{"type":"function","function":{"name":"w","arguments":{"p":1}}}]},)"
      R"({"role":"tool","content":"1"},{"role":"assistant","content":"one"}])";
  const std::vector<std::pair<std::string, std::string>> ways = {
      {"messages", chat + tools},
      {"messages", calls + tools},
      {"sharegpt", chat + tools},
      {"sharegpt", calls + tools},
      {"alpaca", chat + tools},
      {"prompt_completion", chat + tools},
      {"prompt_completion", R"({"prompt":"p","completion":"c","id":1})"},
      {"text", R"({"text":"t","id":1})"},
      {"preference", R"({"prompt":"p","chosen":"a","rejected":"b","margin":1.0})"},
      {"unpaired", R"({"prompt":"p","completion":"a","label":true})"},
      {"scored", R"({"messages":[{"role":"user","content":"a"}],"score":1.0})"},
      {"stepwise", R"({"prompt":"p","completions":["a"],"labels":[true]})"},
      {"tokens", R"({"input_ids":[1],"labels":[1]})"},
  };
  for (const auto& [name, text] : ways) {
    const RowFormat& format = row_format_named(name);
    const Record record = record_of(text);
    std::string lost;
    const Record again = to_record(format.from_record(record, lost), format);
    EXPECT_EQ(lost, "") << name;
    EXPECT_EQ(again.kind, record.kind) << name;
    EXPECT_EQ(nlohmann::json::parse(again.value.dump()), nlohmann::json::parse(record.value.dump()))
        << name;
  }
}

TEST(RowFormats, SayWhatTheyCannotHold) {
  const auto convert = [](const char* name, const std::string& text) {
    std::string lost;
    row_format_named(name).from_record(record_of(text), lost);
    return lost;
  };
  const std::string two_answers =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},)"
      R"({"role":"user","content":"c"},{"role":"assistant","content":"d"}]})";
  EXPECT_TRUE(contains(convert("prompt_completion", two_answers), "answers before the last one"));
  const auto refused = [&](const char* name, const std::string& text) {
    return test::message_of<DataError>([&] { convert(name, text); });
  };
  EXPECT_TRUE(
      contains(refused("alpaca", R"({"messages":[{"role":"user","content":"a"}]})"), "pairs"));
  EXPECT_TRUE(contains(refused("tokens", R"({"text":"a"})"), "without a tokenizer"));
  EXPECT_TRUE(contains(refused("text", R"({"prompt":"a","completion":"b"})"),
                       "a row of kind completion cannot be written as text"));
  EXPECT_TRUE(contains(refused("preference", R"({"text":"a"})"), "as preference"));
}

TEST(Columns, AreRenamedAndTheOthersKeepTheirNames) {
  const Row row = row_of(R"({"q":"a","data":{"answer":"b"},"x.y":"c","id":1})");
  EXPECT_EQ(
      rename_columns(row, {{"prompt", "q"}, {"completion", "data.answer"}, {"text", "x.y"}}).dump(),
      R"({"completion":"b","prompt":"a","text":"c","data":{"answer":"b"},"id":1})");
  EXPECT_EQ(rename_columns(row, {{"q", "id"}}).dump(),
            R"({"q":1,"data":{"answer":"b"},"x.y":"c"})");
}

TEST(Columns, ThatARowLacksAreRefusedWithTheNearestName) {
  const Row row = row_of(R"({"question":"a","meta":{"answer":"b"}})");
  const auto message = [&](const std::string& column) {
    return test::message_of<DataError>([&] { rename_columns(row, {{"prompt", column}}); });
  };
  EXPECT_TRUE(contains(message("qestion"), "did you mean question?"));
  EXPECT_TRUE(contains(message("meta.anser"), "did you mean meta.answer?"));
  EXPECT_TRUE(contains(message("question.x"), "has no column \"question.x\""));
}

TEST(Columns, MapKeysThatTheFormatHas) {
  EXPECT_EQ(wrong_columns({{"prompt", "q"}, {"completion", "a"}}, "auto"), "");
  EXPECT_TRUE(contains(wrong_columns({{"promt", "q"}}, "auto"), "did you mean prompt?"));
  EXPECT_TRUE(contains(wrong_columns({{"prompt", "q"}}, "text"), "format text has no key prompt"));
}

TEST(Content, IsTheSameWhateverTheFormatAndTheOtherKeys) {
  const std::string messages =
      R"({"id":1,"messages":[{"content":"a","role":"user"},{"role":"assistant","content":"b"}]})";
  const std::string alpaca = R"({"instruction":"a","output":"b","source":"x"})";
  EXPECT_EQ(canonical_content(record_of(messages)), canonical_content(record_of(alpaca)));
  EXPECT_NE(content_hash(record_of(messages), 0), content_hash(record_of(messages), 1));
  EXPECT_NE(content_hash(record_of(R"({"text":"a"})"), 0),
            content_hash(record_of(R"({"text":"b"})"), 0));
}

}  // namespace
}  // namespace hone::datasets
