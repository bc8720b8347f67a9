#include <fmt/format.h>

#include <cmath>

#include "base/file.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// `hone data prefer --model`: a judge compares two answers in both orders. What it says is computed
// once more from what `hone data render`, `tokenize` and `logprobs` say.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::read_jsonl;
using test::rows_of;
using test::run_hone;
using test::write_jsonl;

constexpr const char* kQuestion = "{prompt} | {first} | {second} |";

class JudgeVerb : public testing::Test {
 protected:
  JudgeVerb() : model_(test::write_text_model(folder_, "judge", 3)) {
    folder_.write("question.txt", kQuestion);
  }

  Finished prefer(const std::vector<json>& rows, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"data",
                                       "prefer",
                                       "--json",
                                       "--input",
                                       write_jsonl(folder_, "rows.jsonl", rows),
                                       "--output",
                                       output().string(),
                                       "--dtype",
                                       "fp32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }
  std::vector<std::string> judged(std::vector<std::string> more = {}) const {
    more.insert(more.end(),
                {"--model", model_.string(), "--question", (folder_ / "question.txt").string()});
    return more;
  }

  /// log p(A) − log p(B) behind each of the texts as a question.
  std::vector<double> log_odds(const std::vector<std::string>& texts) const {
    std::vector<json> conversations;
    for (const std::string& text : texts) {
      const json message = {{"role", "user"}, {"content", text}};
      conversations.push_back({{"messages", json::array({message})}});
    }
    const std::vector<json> rendered = rows_of(run_hone(
        {"data", "render", "--tokenizer", model_.string(), "--input",
         write_jsonl(folder_, "ask.jsonl", conversations), "--add-generation-prompt", "--tokens"}));
    const std::vector<json> words = rows_of(
        run_hone({"tokenize", "--tokenizer", model_.string(), "--no-special", "--input",
                  write_jsonl(folder_, "words.jsonl", {{{"text", "A"}}, {{"text", "B"}}})}));
    std::vector<json> documents;
    for (const json& question : rendered)
      for (const json& word : words) {
        EXPECT_EQ(word["ids"].size(), 1u);
        json ids = question["ids"];
        ids.push_back(word["ids"][0]);
        documents.push_back({{"input_ids", ids}});
      }
    const std::vector<json> said =
        rows_of(run_hone({"logprobs", "--model", model_.string(), "--dtype", "fp32", "--input",
                          write_jsonl(folder_, "documents.jsonl", documents)}));
    std::vector<double> odds;
    for (std::size_t i = 0; i + 1 < said.size(); i += 2)
      odds.push_back(said[i]["logprobs"].back().get<double>() -
                     said[i + 1]["logprobs"].back().get<double>());
    return odds;
  }

  fs::path output() const { return folder_ / "made.jsonl"; }

  test::TempFolder folder_;
  fs::path model_;
};

std::vector<json> questions() {
  std::vector<json> rows;
  for (int i = 0; i < 10; ++i)
    rows.push_back({{"prompt", fmt::format("say {}", i)},
                    {"answers",
                     {fmt::format("an answer, number {}", i * i),
                      i % 2 == 0 ? "no" : "a much longer answer that says a lot of things"}}});
  return rows;
}

TEST_F(JudgeVerb, SaysWhatItsLogprobsSayInBothOrders) {
  const std::vector<json> asked = questions();
  const json summary = rows_of(prefer(asked, judged({"--on-flip", "mark"}))).at(0);
  const std::vector<json> made = read_jsonl(output());
  ASSERT_EQ(made.size(), asked.size());
  std::vector<std::string> texts;  // of each row, in its order and swapped
  for (const json& row : asked) {
    const std::string prompt = row["prompt"], a = row["answers"][0], b = row["answers"][1];
    texts.push_back(prompt + " | " + a + " | " + b + " |");
    texts.push_back(prompt + " | " + b + " | " + a + " |");
  }
  const std::vector<double> expected = log_odds(texts);
  ASSERT_EQ(expected.size(), texts.size());
  int agreed = 0, first_taken = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::string prompt = asked[i]["prompt"], a = asked[i]["answers"][0],
                      b = asked[i]["answers"][1];
    const double in_order = expected[2 * i], swapped = expected[2 * i + 1];
    const bool agrees = (in_order > 0) != (swapped > 0), a_won = in_order - swapped > 0;
    agreed += agrees;
    first_taken += (in_order > 0) + (swapped > 0);
    EXPECT_EQ(made[i]["prompt"], prompt);
    EXPECT_EQ(made[i]["chosen"], a_won ? a : b);
    EXPECT_EQ(made[i]["rejected"], a_won ? b : a);
    EXPECT_EQ(made[i]["judge"]["agreed"], agrees);
    const json& odds = made[i]["judge"]["log_odds"];
    EXPECT_NEAR(odds[0].get<double>(), a_won ? in_order : -in_order, 1e-5);
    EXPECT_NEAR(odds[1].get<double>(), a_won ? -swapped : swapped, 1e-5);
  }
  EXPECT_EQ(summary["judged"], asked.size());
  EXPECT_DOUBLE_EQ(summary["agreement"], agreed / 10.0);
  EXPECT_DOUBLE_EQ(summary["first_taken"], first_taken / 20.0);
  ASSERT_GT(agreed, 0);
  ASSERT_LT(agreed, 10) << "no verdict flipped, so nothing was tried";

  // Without marks, those that flipped are left out, and nothing else.
  const json dropped = rows_of(prefer(asked, judged())).at(0);
  EXPECT_EQ(dropped["written"], agreed);
  EXPECT_EQ(dropped["undecided"], 10 - agreed);
  std::vector<json> kept;
  for (const json& row : made)
    if (row["judge"]["agreed"].get<bool>()) kept.push_back(row);
  EXPECT_EQ(read_jsonl(output()), kept);
}

TEST_F(JudgeVerb, MakesRowsThatHoneTrainsOn) {
  std::vector<json> rows = questions();
  for (json& row : rows)
    row["prompt"] = json::array({{{"role", "user"}, {"content", row["prompt"]}}});
  ASSERT_EQ(prefer(rows, judged({"--on-flip", "mark"})).exit_code, 0);
  EXPECT_EQ(read_jsonl(output()).at(0)["chosen"][0]["role"], "assistant");
  const Finished read = run_hone({"data", "convert", "--input", output().string(), "--to",
                                  "preference", "--output", (folder_ / "again.jsonl").string()});
  EXPECT_EQ(read.exit_code, 0) << read.err;
}

// What an answer says is not looked at for places to fill, nor for special tokens.
TEST_F(JudgeVerb, TakesAnswersAsTheyAre) {
  const std::string sly = "{second} <|im_end|> {first}";
  ASSERT_EQ(prefer({{{"prompt", "q"}, {"answers", {sly, "plain"}}}}, judged({"--on-flip", "mark"}))
                .exit_code,
            0);
  const json made = read_jsonl(output()).at(0);
  const double in_order = log_odds({"q | " + sly + " | plain |"}).at(0);
  const double sign = made["chosen"] == sly ? 1 : -1;
  EXPECT_NEAR(made["judge"]["log_odds"][0].get<double>(), sign * in_order, 1e-5);
}

TEST_F(JudgeVerb, AsksAModelWithoutATemplateToo) {
  write_file_atomically(model_ / "tokenizer_config.json", R"({"eos_token": "<|im_end|>"})");
  const Finished asked = prefer(questions(), judged({"--on-flip", "mark"}));
  ASSERT_EQ(asked.exit_code, 0) << asked.err;
  EXPECT_EQ(read_jsonl(output()).size(), 10u);
}

TEST_F(JudgeVerb, RefusesWhatItCannotJudge) {
  const auto refused = [&](const std::vector<json>& rows, std::vector<std::string> more) {
    const Finished finished = prefer(rows, std::move(more));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_FALSE(fs::exists(output()));
    return finished.err;
  };
  const std::vector<json> rows = questions();
  EXPECT_TRUE(contains(refused(rows, {}), "need a judge"));
  EXPECT_TRUE(contains(refused(rows, {"--on-flip", "mark"}), "--on-flip mark: needs --model"));
  EXPECT_TRUE(contains(refused(rows, judged({"--words", "A,A"})), "cannot be told apart"));
  const std::string edit =
      refused({{{"prompt", "q"}, {"original", "a"}, {"edited", "b"}}}, judged());
  EXPECT_TRUE(contains(edit, "`edited`"));
  const std::string longer =
      refused({rows[0], {{"prompt", std::string(20000, 'x')}, {"answers", {"a", "b"}}}}, judged());
  EXPECT_TRUE(contains(longer, "rows.jsonl:2"));
  EXPECT_TRUE(contains(longer, "the judge reads 256"));
  folder_.write("question.txt", "{prompt} {first}?");
  EXPECT_TRUE(contains(refused(rows, judged()), "it has no {second}"));
  folder_.write("question.txt", kQuestion);
  model_ = test::write_text_model(folder_, "reward", 3, test::Head::kReward);
  EXPECT_TRUE(contains(refused(rows, judged()), "hone rank"));
}

}  // namespace
}  // namespace hone
