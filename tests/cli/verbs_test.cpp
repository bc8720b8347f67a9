#include "io/json.h"
#include "support/tiny_run.h"

// What the verbs give to other programs (CLI.md).

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::rows_of;
using test::run_hone;

std::string tiny_model() { return test::fixture("models/llama").string(); }

TEST(Logprobs, AreTheSameAloneAndInCompanyAndInOrder) {
  const test::TempFolder folder;
  const std::vector<std::string> lines = {"{\"input_ids\": [5, 6, 7, 8, 9]}\n",
                                          "{\"input_ids\": [1]}\n",
                                          "{\"input_ids\": [300, 200, 100]}\n"};
  std::string all;
  for (const std::string& line : lines) all += line;
  const auto logprobs = [&](const std::string& content) {
    return rows_of(run_hone({"logprobs", "--model", tiny_model(), "--dtype", "fp32", "--input",
                             folder.write("rows.jsonl", content).string(), "--top", "3"}));
  };
  const std::vector<json> together = logprobs(all);
  ASSERT_EQ(together.size(), 3u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const json alone = logprobs(lines[i]).front();
    ASSERT_EQ(alone["logprobs"].size(), together[i]["logprobs"].size());
    for (std::size_t t = 0; t < alone["logprobs"].size(); ++t) {
      EXPECT_NEAR(alone["logprobs"][t], together[i]["logprobs"][t], 1e-5);
      EXPECT_EQ(together[i]["top_ids"][t].size(), 3u);
      // The likeliest token is at least as likely as the row's own.
      EXPECT_GE(together[i]["top_logprobs"][t][0], together[i]["logprobs"][t]);
    }
  }
  EXPECT_EQ(together[0]["logprobs"].size(), 4u);
  EXPECT_TRUE(together[1]["logprobs"].empty());
}

TEST(Logprobs, AnIdOutsideTheVocabularyIsRefused) {
  const test::TempFolder folder;
  const Finished finished =
      run_hone({"logprobs", "--model", tiny_model(), "--input",
                folder.write("rows.jsonl", "{\"input_ids\": [1, 512]}\n").string()});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "512"));
}

class SmollmTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_fixture("tokenizers/smollm2/tokenizer.json"))
      GTEST_SKIP() << "tokenizers/smollm2 is not in the small set";
  }
};

TEST_F(SmollmTokenizer, TokenizesAndDecodesTheReferenceCases) {
  const test::TempFolder folder;
  const auto cases = test::read_jsonl(test::fixture("tokenizers/smollm2/cases.jsonl"));
  const std::string tokenizer = test::fixture("tokenizers/smollm2").string();
  std::string texts, ids;
  for (const json& row : cases) {
    texts += json{{"text", row["text"]}}.dump() + "\n";
    ids += json{{"ids", row["ids"]}}.dump() + "\n";
  }
  const auto encoded = rows_of(run_hone({"tokenize", "--tokenizer", tokenizer, "--no-special",
                                         "--input", folder.write("texts.jsonl", texts).string()}));
  const auto decoded = rows_of(run_hone({"tokenize", "--decode", "--tokenizer", tokenizer,
                                         "--input", folder.write("ids.jsonl", ids).string()}));
  ASSERT_EQ(encoded.size(), cases.size());
  ASSERT_EQ(decoded.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(encoded[i]["ids"], cases[i]["ids"]) << cases[i]["text"];
    EXPECT_EQ(encoded[i]["offsets"], cases[i]["offsets"]) << cases[i]["text"];
    EXPECT_EQ(decoded[i]["text"], cases[i]["decode"]);
  }
}

TEST(Help, NamesEveryVerbAndVersionIsOneLine) {
  const Finished help = run_hone({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* verb : {"train", "check", "eval", "generate", "logprobs", "merge", "adapters",
                           "tokenize", "data", "explain"})
    EXPECT_TRUE(contains(help.out, verb));
  const Finished version = run_hone({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.substr(0, 5), "hone ");
}

TEST(Check, CountsWhatARunWouldTrainOn) {
  const test::TinyRun run("{method: lora, r: 4}");
  const json summary = rows_of(run_hone({"check", run.config, "--json"})).front();
  EXPECT_EQ(summary["rows"], 160);
  EXPECT_EQ(summary["steps"], 20);
  EXPECT_EQ(summary["steps_per_epoch"], 20);
  EXPECT_FALSE(std::filesystem::exists(run.output())) << "check writes nothing";
}

}  // namespace
}  // namespace hone
