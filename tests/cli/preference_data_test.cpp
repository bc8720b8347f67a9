#include "io/json.h"
#include "support/tiny_run.h"

// Issue 8, point 5: what `hone check` and `hone train` make of answers that cannot be learnt from.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

constexpr const char* kGood = R"({"prompt_ids":[5,6],"chosen_ids":[7,8,2],"rejected_ids":[9,2]})"
                              "\n";
constexpr const char* kThumbs = R"({"prompt_ids":[5,6],"completion_ids":[7,8,2],"label":true})"
                                "\n"
                                R"({"prompt_ids":[5,6],"completion_ids":[9,2],"label":false})"
                                "\n";

struct Rows {
  TinyRun run{"{method: lora, r: 4}"};
  std::vector<std::string> overrides;

  Rows(const std::string& method, const std::string& rows, std::vector<std::string> more = {}) {
    overrides = {"train.method=" + method, "train.max_steps=2",
                 "data.train=" + run.folder.write("rows.jsonl", rows).string()};
    overrides.insert(overrides.end(), more.begin(), more.end());
  }
  Finished with(const char* verb) const {
    std::vector<std::string> arguments{verb, run.config};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    if (std::string(verb) == "check") arguments.emplace_back("--json");
    return run_hone(arguments);
  }
};

struct Case {
  const char* name;
  const char* method;
  std::string bad;
  const char* says;
  const char* counted;
};

class BadAnswers : public testing::TestWithParam<Case> {};

TEST_P(BadAnswers, AreRefusedWithTheirPlaceOrDroppedAndCounted) {
  const Case& bad = GetParam();
  const std::string good = std::string(bad.method) == "kto" ? kThumbs : kGood;
  for (const char* verb : {"check", "train"}) {
    const Finished refused = Rows(bad.method, good + bad.bad).with(verb);
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_TRUE(contains(refused.err, bad.says));
    EXPECT_TRUE(contains(refused.err, good == kGood ? "rows.jsonl:2:" : "rows.jsonl:3:"));
    EXPECT_TRUE(contains(refused.err, "data.flawed_rows: drop"));
    const Finished dropped = Rows(bad.method, good + bad.bad, {"data.flawed_rows=drop"}).with(verb);
    EXPECT_EQ(dropped.exit_code, 0) << dropped.err;
    EXPECT_TRUE(contains(dropped.err, "are left out; the first: "));
    if (std::string(verb) == "check")
      EXPECT_EQ(json::parse(dropped.out)[bad.counted], 1) << dropped.out;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Flaws, BadAnswers,
    testing::Values(
        Case{"equal", "dpo", R"({"prompt_ids":[5],"chosen_ids":[7,2],"rejected_ids":[7,2]})",
             "are the same tokens", "rows_equal_answers"},
        Case{"empty", "dpo", R"({"prompt_ids":[5],"chosen_ids":[],"rejected_ids":[7,2]})",
             "\"chosen_ids\" is empty", "rows_empty_answer"},
        Case{"empty_thumb", "kto", R"({"prompt_ids":[5],"completion_ids":[],"label":true})",
             "\"completion_ids\" is empty", "rows_empty_answer"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(BadAnswersOfText, WithDifferentPromptsAreNoPair) {
  const std::string rows = R"({"chosen":"one way","rejected":"another"})"
                           "\n";
  const Finished refused = Rows("dpo", rows).with("check");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "do not begin alike"));
}

TEST(Labels, ThatAreAllAlikeAreRefusedOrAWarning) {
  const std::string rows = R"({"prompt_ids":[5],"completion_ids":[7,2],"label":true})"
                           "\n"
                           R"({"prompt_ids":[6],"completion_ids":[8,2],"label":true})"
                           "\n";
  for (const char* verb : {"check", "train"}) {
    const Finished refused = Rows("kto", rows).with(verb);
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_TRUE(contains(refused.err, "the label is true, here and in all 2 rows"));
    const Finished warned = Rows("kto", rows, {"data.flawed_rows=drop"}).with(verb);
    EXPECT_EQ(warned.exit_code, 0) << warned.err;
    EXPECT_TRUE(contains(warned.err, "the label is true, here and in all 2 rows"));
  }
}

TEST(OverlongPairs, AreDroppedAndCounted) {
  const std::string rows =
      std::string(kGood) + R"({"prompt_ids":[5],"chosen_ids":[7,8,9,10,11,2],"rejected_ids":[9]})";
  const Finished checked = Rows("dpo", rows, {"data.max_length=5"}).with("check");
  ASSERT_EQ(checked.exit_code, 0) << checked.err;
  const json summary = json::parse(checked.out);
  EXPECT_EQ(summary["rows"], 1);
  EXPECT_EQ(summary["rows_dropped_overlong"], 1);
  EXPECT_EQ(summary["longest_row_tokens"], 7);
}

TEST(Methods, RefuseRowsOfOthers) {
  const Finished pairs = Rows("sft", kGood).with("check");
  EXPECT_EQ(pairs.exit_code, 2);
  EXPECT_TRUE(contains(pairs.err, "the row is a preference record"));
  const Finished thumbs = Rows("dpo", kThumbs).with("check");
  EXPECT_EQ(thumbs.exit_code, 2);
  EXPECT_TRUE(contains(thumbs.err, "trains on preference records"));
}

TEST(Check, ShowsBothAnswersOfAPair) {
  const Finished shown = run_hone({"data", "inspect", "--json", "--input",
                                   test::fixture("train/data/pref.jsonl").string(),
                                   "train.method=dpo", "--rows", "1"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const json row = json::parse(shown.out);
  EXPECT_EQ(row["document_ends"].size(), 2u);
  EXPECT_EQ(row["values"], json({0.0}));
}

}  // namespace
}  // namespace hone
