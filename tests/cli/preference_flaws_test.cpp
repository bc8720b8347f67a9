#include "io/json.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// What becomes of pairs of different prompts and of over-long pairs, by each policy's name, in
// every method that learns from pairs.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

json said(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

json pair(const json& chosen, const json& rejected) {
  return {{"chosen", chosen}, {"rejected", rejected}};
}

/// Rows of texts or messages, for a model that reads them.
class PairFlaws : public testing::TestWithParam<const char*> {
 protected:
  Finished with(const char* verb, const std::vector<json>& rows,
                std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {verb, run_.config, "model.base=" + model_.string(),
                 std::string("train.method=") + GetParam(), "train.max_steps=2",
                 "train.output_dir=" + (run_.folder / ("run" + std::to_string(runs_++))).string(),
                 "data.train=" + test::write_jsonl(run_.folder, "rows.jsonl", rows)});
    if (std::string(verb) == "check") more.emplace_back("--json");
    return run_hone(more);
  }

  mutable int runs_ = 0;  ///< each has a folder of its own
  TinyRun run_{"{method: lora, r: 4}"};
  std::filesystem::path model_ = test::write_text_model(run_.folder, "model");
};

const json kGood = {{"prompt", "say"}, {"chosen", " one."}, {"rejected", " two, no."}};

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += " word";
  return text;
}

// The prompt is what both begin with; these begin with nothing.
TEST_P(PairFlaws, DifferentPromptsAreRefusedOrDroppedAndCounted) {
  const std::vector<json> flawed = {
      pair("left one", "right two"),
      pair(json::array({said("user", "a?"), said("assistant", "b")}),
           json::array({said("user", "c?"), said("assistant", "d")})),
      {{"prompt", json::array({said("system", "short")})},
       {"chosen", json::array({said("user", "a?"), said("assistant", "b")})},
       {"rejected", json::array({said("user", "c?"), said("assistant", "b")})}}};
  for (const json& bad : flawed) {
    // A file's rows are of one form.
    const json good = bad["chosen"].is_string()
                          ? pair("say one.", "say two.")
                          : json{{"prompt", json::array({said("user", "hi")})},
                                 {"chosen", json::array({said("assistant", "one")})},
                                 {"rejected", json::array({said("assistant", "two")})}};
    for (const char* verb : {"check", "train"}) {
      const Finished refused = with(verb, {good, bad});
      EXPECT_EQ(refused.exit_code, 2) << bad << refused.err;
      EXPECT_TRUE(contains(refused.err, "rows.jsonl:2"));
      EXPECT_TRUE(contains(refused.err, "data.flawed_rows: drop"));
      const Finished dropped = with(verb, {good, bad}, {"data.flawed_rows=drop"});
      ASSERT_EQ(dropped.exit_code, 0) << dropped.err;
      EXPECT_TRUE(contains(dropped.err, "whose answers have different prompts"));
      if (std::string(verb) != "check") continue;
      const json summary = json::parse(dropped.out);
      EXPECT_EQ(summary["rows"], 1);
      EXPECT_EQ(summary["rows_prompts_differ"], 1);
    }
  }
}

TEST_P(PairFlaws, EqualAndEmptyAnswersAreRefusedOrDroppedAndCounted) {
  const std::vector<std::pair<json, const char*>> flawed = {
      {{{"prompt", "say"}, {"chosen", " one"}, {"rejected", " one"}}, "rows_equal_answers"},
      {{{"prompt", "say"}, {"chosen", " \n"}, {"rejected", " one"}}, "rows_empty_answer"},
      {{{"prompt", "say"}, {"chosen", " one"}, {"rejected", ""}}, "rows_empty_answer"}};
  for (const auto& [bad, counted] : flawed) {
    const Finished refused = with("train", {kGood, bad});
    EXPECT_EQ(refused.exit_code, 2) << bad << refused.err;
    EXPECT_TRUE(contains(refused.err, "rows.jsonl:2"));
    const Finished dropped = with("check", {kGood, bad}, {"data.flawed_rows=drop"});
    ASSERT_EQ(dropped.exit_code, 0) << dropped.err;
    EXPECT_EQ(json::parse(dropped.out)[counted], 1);
    EXPECT_EQ(with("train", {kGood, bad}, {"data.flawed_rows=drop"}).exit_code, 0);
  }
}

TEST_P(PairFlaws, OverlongPairsFollowTheirPolicy) {
  json longer = kGood, alike = kGood;
  longer["rejected"] = words(60);
  // Told apart by what lies beyond the limit alone.
  alike["chosen"] = words(60) + " a";
  alike["rejected"] = words(60) + " b";
  const std::vector<std::string> limit = {"data.max_length=40"};
  const auto policy = [&](const char* name) {
    return std::vector<std::string>{limit[0], std::string("data.overlong=") + name};
  };

  for (const char* verb : {"check", "train"}) {
    const Finished dropped = with(verb, {kGood, longer}, limit);
    ASSERT_EQ(dropped.exit_code, 0) << dropped.err;
    EXPECT_TRUE(contains(dropped.err, "too long"));
    const Finished refused = with(verb, {kGood, longer}, policy("error"));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(contains(refused.err, "rows.jsonl:2"));
    EXPECT_TRUE(contains(refused.err, "more than 40"));
  }
  const auto summary = [&](const std::vector<json>& rows, const std::vector<std::string>& options) {
    const Finished checked = with("check", rows, options);
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    return json::parse(checked.out);
  };
  EXPECT_EQ(summary({kGood, longer}, limit)["rows_dropped_overlong"], 1);
  const json cut = summary({kGood, longer}, policy("truncate"));
  EXPECT_EQ(cut["rows"], 2);
  EXPECT_EQ(cut["rows_truncated"], 1);
  EXPECT_EQ(with("train", {kGood, longer}, policy("truncate")).exit_code, 0);
  // Cut, the two answers would be one: no pair is left.
  const json spoilt = summary({kGood, alike}, policy("truncate"));
  EXPECT_EQ(spoilt["rows"], 1);
  EXPECT_EQ(spoilt["rows_dropped_overlong"], 1);
}

INSTANTIATE_TEST_SUITE_P(Methods, PairFlaws, testing::Values("dpo", "orpo", "reward"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone
