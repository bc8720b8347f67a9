#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "datasets/contract.h"
#include "datasets/load.h"
#include "support/support.h"
#include "tokenizer/named_template.h"
#include "tokenizer/tokenizer.h"

/// Each of the named chat templates, through a real tokenizer that has the family's special tokens:
/// what is trained on is what the assistant says, and its stop token, to the character.
namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;
using Stretches = std::vector<std::string>;

struct Family {
  std::string name, bos, eos;
  std::vector<std::string> tokens;  ///< special ones beside bos and eos
  std::string before, stop;         ///< what stands around each of the assistant's texts
  std::string call;                 ///< the stretch of a tool call; "" where tools are refused
  std::string reasoning;            ///< what stands for it; "" where the template leaves it out
};

const std::vector<Family>& families() {
  const std::string think = "<think>\nGreet back.\n</think>\n\n";
  static const std::vector<Family> all = {
      {"chatml", "", "<|im_end|>", {"<|im_start|>"}, "", "<|im_end|>", "", ""},
      {"llama2", "<s>", "</s>", {}, " ", " </s>", "", ""},
      {"llama3",
       "<|begin_of_text|>",
       "<|eot_id|>",
       {"<|start_header_id|>", "<|end_header_id|>"},
       "",
       "<|eot_id|>",
       R"({"name": "get_weather", "parameters": {"city": "Paris"}}<|eot_id|>)",
       ""},
      {"mistral",
       "<s>",
       "</s>",
       {"[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
        "[TOOL_RESULTS]", "[/TOOL_RESULTS]"},
       " ",
       "</s>",
       R"([TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}}]</s>)",
       ""},
      {"gemma",
       "<bos>",
       "<eos>",
       {"<start_of_turn>", "<end_of_turn>"},
       "",
       "<end_of_turn>",
       "",
       ""},
      {"phi3",
       "<s>",
       "<|endoftext|>",
       {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"},
       "",
       "<|end|>",
       "",
       ""},
      {"zephyr", "<s>", "</s>", {}, "", "</s>", "", ""},
      {"qwen",
       "",
       "<|im_end|>",
       {"<|im_start|>"},
       "",
       "<|im_end|>",
       "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
       "\"Paris\"}}\n</tool_call><|im_end|>",
       think},
      {"deepseek",
       "<｜begin▁of▁sentence｜>",
       "<｜end▁of▁sentence｜>",
       {"<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>",
        "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<｜tool▁outputs▁begin｜>",
        "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>", "<｜tool▁outputs▁end｜>"},
       "",
       "<｜end▁of▁sentence｜>",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
       "{\"city\": \"Paris\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
       think},
      {"command-r",
       "<BOS_TOKEN>",
       "<|END_OF_TURN_TOKEN|>",
       {"<|START_OF_TURN_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"},
       "",
       "<|END_OF_TURN_TOKEN|>",
       "Action: ```json\n[\n    {\"tool_name\": \"get_weather\", \"parameters\": {\"city\": "
       "\"Paris\"}}\n]```<|END_OF_TURN_TOKEN|>",
       ""},
      {"alpaca", "<s>", "</s>", {}, "", "</s>", "", ""},
      {"vicuna", "<s>", "</s>", {}, " ", "</s>", "", ""},
      {"plain", "<s>", "</s>", {}, "", "</s>", "", ""},
  };
  return all;
}

constexpr const char* kSingle =
    R"({"messages":[{"role":"user","content":"Hi there"},{"role":"assistant","content":"Hello!"}]})";
constexpr const char* kMulti =
    R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello!"},)"
    R"({"role":"user","content":"Bye"},{"role":"assistant","content":"See you."}]})";
constexpr const char* kSystem =
    R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},)"
    R"({"role":"assistant","content":"Hello!"},{"role":"user","content":"Bye"},)"
    R"({"role":"assistant","content":"See you."}]})";
constexpr const char* kReasoning =
    R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant",)"
    R"("reasoning_content":"Greet back.","content":"Hello!"}]})";
constexpr const char* kTools =
    R"({"messages":[{"role":"user","content":"Weather in Paris?"},{"role":"assistant",)"
    R"("content":null,"tool_calls":[{"type":"function","function":{"name":"get_weather",)"
    R"("arguments":"{\"city\": \"Paris\"}"}}]},{"role":"tool","content":"{\"sky\": 1}"},)"
    R"({"role":"assistant","content":"Clear."},{"role":"user","content":"Bye"},)"
    R"({"role":"assistant","content":"See you."}],"tools":[{"type":"function","function":)"
    R"({"name":"get_weather","description":"Weather now","parameters":{"type":"object",)"
    R"("properties":{"city":{"type":"string","description":"Where"}},"required":["city"]}}}]})";

/// A byte-level tokenizer with the special tokens of a family beside its own.
tokenizer::Tokenizer tokenizer_of(const Family& family, const test::TempFolder& folder) {
  Json file = Json::parse(read_file(test::fixture("tokenizers/qwen2_nfc/tokenizer.json")));
  std::int64_t id = 0;
  for (const auto& item : file["model"]["vocab"].items())
    id = std::max(id, item.value().get<std::int64_t>() + 1);
  for (const Json& token : file["added_tokens"])
    id = std::max(id, token["id"].get<std::int64_t>() + 1);
  std::vector<std::string> tokens = family.tokens;
  tokens.push_back(family.bos);
  tokens.push_back(family.eos);
  for (const std::string& token : tokens) {
    const auto same = [&](const Json& added) { return added["content"] == token; };
    if (token.empty() ||
        std::any_of(file["added_tokens"].begin(), file["added_tokens"].end(), same))
      continue;
    file["added_tokens"].push_back({{"id", id++},
                                    {"content", token},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", false},
                                    {"normalized", false},
                                    {"special", true}});
  }
  Json config = {{"eos_token", family.eos}};
  if (!family.bos.empty()) config["bos_token"] = family.bos;
  folder.write("tokenizer.json", file.dump());
  folder.write("tokenizer_config.json", config.dump());
  return tokenizer::Tokenizer::load(folder.path());
}

class TemplateFamily : public testing::TestWithParam<Family> {
 protected:
  Dataset read(const std::string& row) { return read(row, std::string(named_->source)); }
  Dataset read(const std::string& row, const std::string& source) {
    const tokenizer::ChatTemplate chat_template(source);
    return load({folder_.write("rows.jsonl", row).string()}, options_,
                {&tokenizer_, &chat_template, 0, tokenizer::stop_ids(*named_, tokenizer_)}, 0);
  }
  /// The text of each run of trained tokens.
  Stretches trained(const Example& example) const {
    Stretches stretches;
    std::vector<std::int32_t> run;
    for (std::size_t t = 0; t <= example.ids.size(); ++t) {
      if (t < example.ids.size() && example.is_trained(t)) {
        run.push_back(example.ids[t]);
      } else if (!run.empty()) {
        stretches.push_back(tokenizer_.decode(run));
        run.clear();
      }
    }
    return stretches;
  }
  std::string said(const std::string& text) const {
    return GetParam().before + text + GetParam().stop;
  }
  void expect_trained(const std::string& row, const Stretches& expected) {
    const Dataset dataset = read(row);
    EXPECT_EQ(trained(dataset.example(0)), expected) << row;
    EXPECT_EQ(dataset.totals().prompt_differs, 0) << row;
    EXPECT_EQ(dataset.totals().straddling_rows, 0) << row;
    EXPECT_NO_THROW(check_contract(dataset, options_));
  }

  test::TempFolder folder_;
  tokenizer::Tokenizer tokenizer_ = tokenizer_of(GetParam(), folder_);
  const tokenizer::NamedTemplate* named_ = tokenizer::find_named_template(GetParam().name);
  DataOptions options_ = config::defaults<DataOptions>();
};

TEST_P(TemplateFamily, TrainsOnTheAnswerAndItsStopToken) {
  expect_trained(kSingle, {said("Hello!")});
  expect_trained(kMulti, {said("Hello!"), said("See you.")});
  expect_trained(kSystem, {said("Hello!"), said("See you.")});
}

TEST_P(TemplateFamily, TrainsOnToolCallsOrRefusesThem) {
  if (GetParam().call.empty()) {
    EXPECT_TRUE(
        test::contains(test::message_of<DataError>([&] { read(kTools); }), "no format for tools"));
    Json row = Json::parse(kTools);
    row.erase("tools");
    EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { read(row.dump()); }),
                               "no format for tool calls"));
    return;
  }
  expect_trained(kTools, {GetParam().call, said("Clear."), said("See you.")});
}

TEST_P(TemplateFamily, TrainsOnReasoningOrSaysThatItIsLeftOut) {
  expect_trained(kReasoning, {GetParam().reasoning + said("Hello!")});
  const CountedRows dropped = read(kReasoning).counts().changes[TemplateChange::kDropped];
  EXPECT_EQ(dropped.rows, GetParam().reasoning.empty() ? 1 : 0);
  if (dropped.rows > 0) {
    EXPECT_TRUE(
        test::contains(dropped.first, "rows.jsonl:1: messages[1] (assistant): reasoning_content"));
  }
}

TEST_P(TemplateFamily, BreaksTheContractWithoutItsStopToken) {
  std::string source(named_->source);
  for (const std::string& stop : named_->stops) {
    const std::string nothing = stop == "eos_token" ? "''" : "";
    for (std::size_t at = 0; (at = source.find(stop, at)) != std::string::npos;)
      source.replace(at, stop.size(), nothing);
  }
  const Dataset dataset = read(kMulti, source);
  EXPECT_TRUE(
      test::contains(test::message_of<DataError>([&] { check_contract(dataset, options_); }),
                     "no response ends in a stop token"));
}

/// Puts `more` behind every string below `value` but roles, types and names.
void append_to_texts(Json& value, const std::string& more) {
  if (value.is_string()) value = value.get<std::string>() + more;
  if (value.is_array())
    for (Json& item : value) append_to_texts(item, more);
  if (!value.is_object()) return;
  for (auto& [key, item] : value.items())
    if (key != "role" && key != "type" && key != "name" && key != "required" && key != "arguments")
      append_to_texts(item, more);
}

TEST_P(TemplateFamily, NeverTurnsTextIntoSpecialTokens) {
  std::string attack = " ";
  for (const std::string& token : tokenizer_.special_token_texts()) attack += token;
  const auto count = [&](const std::string& row) {
    const Dataset dataset = read(row);
    std::map<std::int32_t, int> special;
    for (const std::int32_t id : dataset.example(0).ids)
      if (tokenizer_.is_special(id)) ++special[id];
    return special;
  };
  for (const char* row : {kMulti, kSystem, kReasoning, kTools}) {
    if (row == kTools && GetParam().call.empty()) continue;
    Json hostile = Json::parse(row);
    append_to_texts(hostile, attack);
    if (row == kTools)
      hostile["messages"][1]["tool_calls"][0]["function"]["arguments"] = Json{{"city", attack}};
    EXPECT_EQ(count(hostile.dump()), count(row)) << row;
  }
}

TEST_P(TemplateFamily, FitsTheTokenizerOfItsModels) {
  EXPECT_EQ(tokenizer::missing_tokens(*named_, tokenizer_), std::vector<std::string>{});
  EXPECT_TRUE(test::contains(tokenizer::offer_templates(tokenizer_), GetParam().name));
}

INSTANTIATE_TEST_SUITE_P(All, TemplateFamily, testing::ValuesIn(families()),
                         [](const auto& family) {
                           std::string name = family.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TemplateFamilies, AreAllInTheTable) {
  ASSERT_EQ(families().size(), tokenizer::named_templates().size());
  for (std::size_t i = 0; i < families().size(); ++i)
    EXPECT_EQ(families()[i].name, tokenizer::named_templates()[i].name);
}

TEST(TemplateFamilies, SayWhichTokensATokenizerLacks) {
  const auto tokenizer =
      tokenizer::Tokenizer::load(test::fixture("tokenizers/gpt2_bytelevel/tokenizer.json"));
  EXPECT_EQ(tokenizer::missing_tokens(*tokenizer::find_named_template("gemma"), tokenizer),
            (std::vector<std::string>{"bos_token", "<start_of_turn>", "<end_of_turn>"}));
  EXPECT_TRUE(test::contains(tokenizer::offer_templates(tokenizer),
                             "(the tokenizer has the special tokens of chatml, qwen)"));
}

}  // namespace
}  // namespace hone::datasets
