#include <fmt/format.h>

#include <algorithm>

#include "support/text_model.h"
#include "support/tiny_run.h"

// `hone rank` and `hone data prefer` from outside: answers in, rows to train on out.

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

class RankVerb : public testing::Test {
 protected:
  RankVerb() : model_(test::write_text_model(folder_, "reward", 3, test::Head::kReward)) {}

  Finished rank(const std::vector<json>& rows, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"rank",
                                       "--model",
                                       model_.string(),
                                       "--dtype",
                                       "fp32",
                                       "--input",
                                       write_jsonl(folder_, "rows.jsonl", rows)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }

  /// What `hone score` says of an answer behind its prompt.
  double score_of(const json& row) {
    const Finished finished = run_hone({"score", "--model", model_.string(), "--dtype", "fp32",
                                        "--input", write_jsonl(folder_, "one.jsonl", {row})});
    return rows_of(finished).front()["score"];
  }

  test::TempFolder folder_;
  fs::path model_;
  const json prompt_ = json::array({{{"role", "user"}, {"content", "Name a colour."}}});
  const std::vector<std::string> answers_ = {"Red.", "Certainly! Blue is a colour.", "No", "Green"};

  json group() const { return {{"prompt", prompt_}, {"completions", answers_}}; }
  json conversation(const std::string& answer) const {
    json messages = prompt_;
    messages.push_back({{"role", "assistant"}, {"content", answer}});
    return {{"messages", messages}};
  }
};

TEST_F(RankVerb, PutsTheBestAnswerAgainstTheWorst) {
  std::vector<double> scores;
  for (const std::string& answer : answers_) scores.push_back(score_of(conversation(answer)));
  const auto best = std::size_t(std::ranges::max_element(scores) - scores.begin());
  const auto worst = std::size_t(std::ranges::min_element(scores) - scores.begin());
  const json pair = rows_of(rank({group()})).front();
  EXPECT_EQ(pair["prompt"], prompt_);
  EXPECT_EQ(pair["chosen"][0]["content"], answers_[best]);
  EXPECT_EQ(pair["rejected"][0]["content"], answers_[worst]);
  // Answers that share their prompt have the reward that each has alone.
  EXPECT_NEAR(pair["chosen_score"].get<double>(), scores[best], 1e-6);
  EXPECT_NEAR(pair["rejected_score"].get<double>(), scores[worst], 1e-6);

  const json kept = rows_of(rank({group()}, {"--as", "best"})).front();
  EXPECT_EQ(kept["messages"], conversation(answers_[best])["messages"]);
  EXPECT_NEAR(kept["reward"].get<double>(), scores[best], 1e-6);

  const std::vector<json> all = rows_of(rank({group()}, {"--as", "scored"}));
  ASSERT_EQ(all.size(), answers_.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["completion"][0]["content"], answers_[i]);
    EXPECT_NEAR(all[i]["score"].get<double>(), scores[i], 1e-6);
  }
}

TEST_F(RankVerb, WritesRowsThatHoneReads) {
  std::vector<json> rows;
  for (int i = 0; i < 4; ++i) {
    json messages = group(), text = {{"prompt", fmt::format("{} and ", i)},
                                     {"completions", {"one.", "two, which is more.", "three"}}};
    messages["prompt"][0]["content"] = fmt::format("Say {}.", i);
    rows.push_back(i % 2 == 0 ? messages : text);
  }
  for (const auto& [form, kind] : {std::pair{"preference", "preference"}, {"scored", "scored"}}) {
    const std::string made =
        write_jsonl(folder_, std::string(form) + ".jsonl", rows_of(rank(rows, {"--as", form})));
    const Finished read = run_hone({"data", "convert", "--input", made, "--to", kind, "--output",
                                    (folder_ / "again.jsonl").string()});
    EXPECT_EQ(read.exit_code, 0) << read.err;
  }
  const std::string best =
      write_jsonl(folder_, "best.jsonl", rows_of(rank({rows[1]}, {"--as", "best"})));
  const Finished read = run_hone({"data", "convert", "--input", best, "--to", "prompt_completion",
                                  "--output", (folder_ / "again.jsonl").string()});
  EXPECT_EQ(read.exit_code, 0) << read.err;
}

TEST_F(RankVerb, ReadsWhatGenerateWrote) {
  const fs::path writer = test::write_text_model(folder_, "writer");
  const std::string prompts = "{\"prompt\": \"one \"}\n{\"prompt\": \"two words \"}\n";
  const fs::path input = folder_.write("prompts.jsonl", prompts);
  const Finished generated =
      run_hone({"generate", "--model", writer.string(), "--dtype", "fp32", "--json", "--input",
                input.string(), "--num-return-sequences", "3", "--temperature", "1", "--seed", "5",
                "--max-new-tokens", "6"});
  ASSERT_EQ(generated.exit_code, 0) << generated.err;
  const fs::path candidates = folder_.write("candidates.jsonl", generated.out);
  const auto command = [&](const fs::path& from) {
    return std::vector<std::string>{"rank",         "--model",      model_.string(), "--dtype",
                                    "fp32",         "--as",         "scored",        "--input",
                                    input.string(), "--candidates", from.string()};
  };
  const std::vector<json> rows = rows_of(run_hone(command(candidates)));
  const std::vector<json> made = read_jsonl(candidates);
  ASSERT_EQ(rows.size(), made.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["prompt"], i < 3 ? "one " : "two words ");
    EXPECT_EQ(rows[i]["completion"], made[i]["text"]);
  }
  const Finished left_over = run_hone(command(folder_.write(
      "more.jsonl", generated.out + "{\"prompt\": 2, \"sequence\": 0, \"text\": \"a\"}\n")));
  EXPECT_EQ(left_over.exit_code, 2);
  EXPECT_TRUE(contains(left_over.err, "more.jsonl:7"));
}

TEST_F(RankVerb, LeavesOutWhatIsTooClose) {
  EXPECT_TRUE(rows_of(rank({group()}, {"--min-margin", "1000"})).empty());
  const json same = {{"prompt", "a"}, {"completions", {"b", "b"}}};
  EXPECT_TRUE(rows_of(rank({same})).empty());
  EXPECT_EQ(rows_of(rank({same}, {"--as", "best"})).size(), 1u);
}

TEST_F(RankVerb, RefusesWhatIsNoRanking) {
  const auto refused = [&](const json& row) {
    const Finished finished = rank({group(), row});
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_TRUE(contains(finished.err, "rows.jsonl:2"));
    return finished.err;
  };
  EXPECT_TRUE(contains(refused({{"prompt", "a"}}), "completions"));
  EXPECT_TRUE(contains(refused({{"prompt", "a"}, {"completions", {"b"}}}), "two or more"));
  EXPECT_TRUE(contains(refused({{"prompt", "a"}, {"completions", {"b", ""}}}), "empty"));
  EXPECT_TRUE(contains(refused({{"completions", {"b", "c"}}}), "\"prompt\""));
  model_ = test::write_text_model(folder_, "plain");
  const Finished no_reward = rank({group()});
  EXPECT_EQ(no_reward.exit_code, 2);
  EXPECT_TRUE(contains(no_reward.err, "reward model"));
}

class PreferVerb : public testing::Test {
 protected:
  Finished prefer(const std::vector<json>& rows) {
    return run_hone({"data", "prefer", "--json", "--input",
                     write_jsonl(folder_, "rows.jsonl", rows), "--output", output().string()});
  }
  fs::path output() const { return folder_ / "made.jsonl"; }
  test::TempFolder folder_;
};

TEST_F(PreferVerb, AnEditWonOverTheOriginal) {
  const json prompt = json::array({{{"role", "user"}, {"content", "hi"}}});
  const json summary = rows_of(prefer({{{"prompt", "q"}, {"original", "bad"}, {"edited", "good"}},
                                       {{"prompt", "q"}, {"original", "same"}, {"edited", "same"}},
                                       {{"messages", prompt}, {"original", "a"}, {"edited", "b"}}}))
                           .front();
  EXPECT_EQ(summary, json({{"rows", 3}, {"written", 2}, {"undecided", 1}}));
  const std::vector<json> rows = read_jsonl(output());
  EXPECT_EQ(rows[0], json({{"prompt", "q"}, {"chosen", "good"}, {"rejected", "bad"}}));
  EXPECT_EQ(rows[1]["chosen"], json::array({{{"role", "assistant"}, {"content", "b"}}}));
}

TEST_F(PreferVerb, WhatWasKeptWonOverWhatWasRegenerated) {
  ASSERT_EQ(prefer({{{"prompt", "q"}, {"regenerations", {"one", "two", "three"}}},
                    {{"prompt", "p"}, {"regenerations", {"x", "y"}}, {"accepted", 0}}})
                .exit_code,
            0);
  const std::vector<json> rows = read_jsonl(output());
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], json({{"prompt", "q"}, {"chosen", "three"}, {"rejected", "one"}}));
  EXPECT_EQ(rows[1]["rejected"], "two");
  EXPECT_EQ(rows[2], json({{"prompt", "p"}, {"chosen", "x"}, {"rejected", "y"}}));
}

TEST_F(PreferVerb, ThumbsBecomeUnpairedRows) {
  ASSERT_EQ(prefer({{{"prompt", "q"}, {"completion", "a"}, {"thumb", "up"}},
                    {{"prompt", "q"}, {"completion", "b"}, {"thumb", -1}},
                    {{"prompt", "q"}, {"completion", "c"}, {"thumb", nullptr}}})
                .exit_code,
            0);
  const std::vector<json> rows = read_jsonl(output());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], json({{"prompt", "q"}, {"completion", "a"}, {"label", true}}));
  EXPECT_EQ(rows[1]["label"], false);
}

TEST_F(PreferVerb, AJudgesWordCountsWhereBothOrdersAgree) {
  const auto row = [](const char* in_order, const char* swapped) {
    return json{{"prompt", "q"}, {"answers", {"a", "b"}}, {"verdicts", {in_order, swapped}}};
  };
  // a in both; whatever stands first; b in both; a tie in both.
  const json summary = rows_of(prefer({row("first", "second"), row("first", "first"),
                                       row("second", "first"), row("tie", "tie")}))
                           .front();
  EXPECT_EQ(summary["written"], 2);
  EXPECT_EQ(summary["undecided"], 2);
  EXPECT_DOUBLE_EQ(summary["agreement"], 0.75);
  EXPECT_DOUBLE_EQ(summary["first_taken"], 4.0 / 6);
  const std::vector<json> rows = read_jsonl(output());
  EXPECT_EQ(rows[0]["chosen"], "a");
  EXPECT_EQ(rows[1]["chosen"], "b");
}

TEST_F(PreferVerb, RefusesRowsOfOtherKinds) {
  const auto refused = [&](const std::vector<json>& rows) {
    const Finished finished = prefer(rows);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_FALSE(fs::exists(output()));
    return finished.err;
  };
  const json edit = {{"prompt", "q"}, {"original", "a"}, {"edited", "b"}};
  const json thumb = {{"prompt", "q"}, {"completion", "a"}, {"thumb", "up"}};
  EXPECT_TRUE(contains(refused({edit, thumb}), "rows.jsonl:2"));
  EXPECT_TRUE(contains(refused({{{"prompt", "q"}, {"edited", "b"}}}), "\"original\""));
  EXPECT_TRUE(contains(refused({{{"prompt", "q"}}}), "expected `edited`"));
  EXPECT_TRUE(contains(refused({{{"prompt", "q"}, {"regenerations", {"a", "b"}}, {"accepted", 2}}}),
                       "from 0 to 1"));
}

}  // namespace
}  // namespace hone
