#include <fmt/format.h>

#include <algorithm>

#include "support/text_model.h"
#include "trainers/trajectory.h"

// Whole runs of `hone train` with train.method: reward, and what `hone score` says with their
// product.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run_hone;
using test::TinyRun;

std::string pairs() { return test::fixture("train/data/pref.jsonl").string(); }

/// Overrides of the tiny run: a reward model from a base.
std::vector<std::string> reward(const char* base, std::vector<std::string> more = {}) {
  std::vector<std::string> all = {"train.method=reward", "data.train=" + pairs(),
                                  "model.base=" + test::fixture(base).string()};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// What `hone score` says of rows of tokens.
std::vector<double> scores_of(const TinyRun& run, const std::vector<json>& rows,
                              const char* base = "train/_base") {
  std::string text;
  for (const json& row : rows) text += row.dump() + "\n";
  const test::TempFolder folder;
  const fs::path product = run.output() / "model";
  const bool whole = fs::exists(product);
  std::vector<std::string> arguments = {
      "score", "--model", (whole ? product : test::fixture(base)).string(), "--dtype",
      "fp32",  "--input", folder.write("rows.jsonl", text).string()};
  if (!whole) arguments.insert(arguments.end(), {"--adapter", (run.output() / "adapter").string()});
  std::vector<double> scores;
  for (const json& row : test::rows_of(run_hone(arguments))) scores.push_back(row["score"]);
  return scores;
}

std::vector<json> answers(std::size_t count) {
  std::vector<json> rows;
  for (const json& pair : test::read_jsonl(pairs())) {
    for (const char* answer : {"chosen_ids", "rejected_ids"}) {
      json ids = pair["prompt_ids"];
      for (const json& id : pair[answer]) ids.push_back(id);
      rows.push_back({{"input_ids", ids}});
    }
    if (rows.size() >= count) break;
  }
  return rows;
}

class RewardTrajectory : public testing::TestWithParam<const char*> {};

// TRL's RewardTrainer, 20 steps in fp32 with centred rewards.
TEST_P(RewardTrajectory, IsTrlsStepByStep) {
  const TinyRun run("{method: full}");
  const test::Finished finished = run_hone(run.train(
      reward("train/_base_reward", {"reward.center_rewards_coefficient=0.01",
                                    std::string("reward.prefix_sharing=") + GetParam()})));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  test::expect_trajectory(run, test::fixture("train/reward_full"),
                          {{"accuracy"}, {"margin"}, {"mean_reward"}});
}

INSTANTIATE_TEST_SUITE_P(PrefixSharing, RewardTrajectory, testing::Values("always", "never"),
                         [](const auto& one) { return std::string(one.param); });

// A head that did not exist is made, trained beside the adapter and saved with it; the pair's
// better answer comes to have the larger reward.
TEST(Reward, AFreshHeadIsTrainedWithTheAdapter) {
  const TinyRun run("{method: lora, r: 8}");
  ASSERT_EQ(run_hone(run.train(reward("train/_base", {"train.max_steps=60"}))).exit_code, 0);
  const json config = io::read_json(run.output() / "adapter" / "adapter_config.json");
  EXPECT_EQ(config["modules_to_save"], json::array({"score"}));
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  const io::SafetensorsFile saved(run.output() / "adapter" / "adapter_model.safetensors");
  ASSERT_NE(saved.find("base_model.model.score.weight"), nullptr);

  const std::vector<json> metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  EXPECT_LT(metrics.back()["loss"], 0.9 * metrics.front()["loss"].get<double>());
  const std::vector<double> scores = scores_of(run, answers(80));
  int right = 0;
  for (std::size_t i = 0; i < 80; i += 2) right += scores[i] > scores[i + 1];
  EXPECT_GE(right, 36);
}

TEST(Reward, TheWholeModelIsScoredAsItWasTrained) {
  const TinyRun run("{method: full}");
  ASSERT_EQ(
      run_hone(run.train(reward("train/_base", {"train.max_steps=5", "data.eval=" + pairs()})))
          .exit_code,
      0);
  const json config = io::read_json(run.output() / "model" / "config.json");
  EXPECT_EQ(config["architectures"], json::array({"LlamaForSequenceClassification"}));
  EXPECT_EQ(config["id2label"].size(), 1u);
  // The evaluation at the end, and the same from the rewards that `hone score` gives.
  const std::vector<double> scores = scores_of(run, answers(320));
  double right = 0, margin = 0;
  for (std::size_t i = 0; i < scores.size(); i += 2) {
    right += scores[i] > scores[i + 1];
    margin += scores[i] - scores[i + 1];
  }
  const json last = test::read_jsonl(run.output() / "metrics.jsonl").back();
  const double pairs = double(scores.size()) / 2;
  EXPECT_NEAR(last["eval_accuracy"].get<double>(), right / pairs, 1e-9);
  EXPECT_NEAR(last["eval_margin"].get<double>(), margin / pairs, 1e-5);
  for (const char* key : {"eval_loss", "eval_calibration_error", "eval_longer_is_chosen"}) {
    EXPECT_GE(last[key].get<double>(), 0) << key;
    EXPECT_LE(last[key].get<double>(), 1) << key;
  }
  EXPECT_LE(std::abs(last["eval_length_correlation"].get<double>()), 1);
}

// A row's reward does not depend on what is scored with it.
TEST(Reward, IsTheSameAloneAndInCompany) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train(reward("train/_base", {"train.max_steps=3"}))).exit_code, 0);
  std::vector<json> rows = answers(12);
  const std::vector<double> together = scores_of(run, rows);
  std::ranges::reverse(rows);
  const std::vector<double> reversed = scores_of(run, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double alone = scores_of(run, {rows[i]}).front();
    EXPECT_NEAR(reversed[i], alone, 1e-6);
    EXPECT_NEAR(together[rows.size() - 1 - i], alone, 1e-6);
  }
}

// The same rows a step, cut into micro-batches in different ways, are the same step; so are shared
// and repeated prompts.
TEST(Reward, AccumulationAndSharingChangeNothing) {
  const std::vector<std::vector<std::string>> ways = {
      {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"},
      {"train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=4"},
      {"train.tokens_per_device_batch=1", "train.gradient_accumulation_steps=8"},
      {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1",
       "reward.prefix_sharing=never"}};
  for (const char* adapter : {"{method: lora, r: 4}", "{method: lora, r: 4, use_dora: true}"}) {
    const TinyRun first(adapter);
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const TinyRun other(adapter);
      const TinyRun& run = i == 0 ? first : other;
      std::vector<std::string> overrides = reward("train/_base", ways[i]);
      overrides.push_back("train.max_steps=6");
      ASSERT_EQ(run_hone(run.train(overrides)).exit_code, 0);
      if (i == 0) continue;
      EXPECT_LT(test::relative_difference(test::product_of(run), test::product_of(first)), 1e-5)
          << adapter << " " << i;
    }
  }
}

TEST(Reward, MarginsCountAndScoresAreLearnt) {
  std::string margins, scores;
  for (json pair : test::read_jsonl(pairs())) {
    pair["margin"] = 2.0;
    margins += pair.dump() + "\n";
    // The score is a fact of the answer: whether it is a long one.
    scores += json{{"prompt_ids", pair["prompt_ids"]},
                   {"completion_ids", pair["chosen_ids"]},
                   {"score", pair["chosen_ids"].size() > 7 ? 1.0 : -1.0}}
                  .dump() +
              "\n";
  }
  const TinyRun plain("{method: lora, r: 4}"), with_margin("{method: lora, r: 4}");
  const fs::path margin_rows = with_margin.folder.write("margins.jsonl", margins);
  ASSERT_EQ(run_hone(plain.train(reward("train/_base", {"train.max_steps=1"}))).exit_code, 0);
  ASSERT_EQ(
      run_hone(with_margin.train(reward(
                   "train/_base", {"train.max_steps=1", "data.train=" + margin_rows.string()})))
          .exit_code,
      0);
  // −log σ(Δ − 2) ≈ 2.13 where Δ is near 0.
  const auto loss_of = [](const TinyRun& run) {
    return test::read_jsonl(run.output() / "metrics.jsonl").front()["loss"].get<double>();
  };
  EXPECT_NEAR(loss_of(plain), 0.69, 0.1);
  EXPECT_NEAR(loss_of(with_margin), 2.13, 0.15);

  const TinyRun scored("{method: lora, r: 8}");
  const fs::path rows = scored.folder.write("scores.jsonl", scores);
  ASSERT_EQ(
      run_hone(scored.train(reward("train/_base",
                                   {"reward.loss_type=regression", "train.max_steps=80",
                                    "data.train=" + rows.string(), "data.eval=" + rows.string()})))
          .exit_code,
      0);
  EXPECT_GT(test::read_jsonl(scored.output() / "metrics.jsonl").back()["eval_correlation"], 0.5);
}

/// A model that reads texts, and a run of it on rows.
struct TextRun {
  TinyRun run{"{method: lora, r: 8}"};
  fs::path model = test::write_text_model(run.folder, "model");

  json train(const std::string& rows, std::vector<std::string> more) {
    const std::string data = run.folder.write("rows.jsonl", rows).string();
    more.insert(more.end(), {"train.method=reward", "model.base=" + model.string(),
                             "data.train=" + data, "data.eval=" + data});
    const test::Finished finished = run_hone(run.train(more));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return test::read_jsonl(run.output() / "metrics.jsonl").back();
  }
};

// Which steps of a solution are right is told by their text.
TEST(Reward, StepsAreJudgedAtTheirEnds) {
  std::string rows;
  for (int i = 0; i < 24; ++i)
    rows += json{{"prompt", fmt::format("{} + {} =", i, i + 1)},
                 {"completions", {"good work", i % 2 == 0 ? "bad" : "good", "bad end"}},
                 {"labels", {true, i % 2 == 1, false}}}
                .dump() +
            "\n";
  TextRun text;
  const json last = text.train(
      rows, {"reward.loss_type=stepwise", "train.max_steps=60", "optim.learning_rate=5e-3"});
  EXPECT_GT(last["eval_accuracy"], 0.95);
  EXPECT_LT(last["eval_loss"], 0.3);
}

TEST(Reward, AnAttributeThatARowLacksTeachesNothing) {
  std::string rows;
  for (int i = 0; i < 24; ++i) {
    const bool is_kind = i % 3 == 0;
    json scores = {is_kind ? 1.0 : -1.0, nullptr};
    if (i % 2 == 0) scores[1] = 0.5;
    rows += json{{"prompt", fmt::format("question {}", i)},
                 {"completion", is_kind ? " a kind answer" : " no"},
                 {"score", scores}}
                .dump() +
            "\n";
  }
  TextRun text;
  const json last = text.train(rows, {"reward.loss_type=regression", "model.num_labels=2",
                                      "train.max_steps=60", "optim.learning_rate=5e-3"});
  EXPECT_GT(last["eval_correlation"], 0.9);
  EXPECT_TRUE(std::isfinite(last["eval_loss"].get<double>()));
}

TEST(Reward, RefusesWhatItCannotLearnFrom) {
  const TinyRun run("{method: lora, r: 4}");
  const fs::path scored = run.folder.write(
      "scored.jsonl", "{\"prompt_ids\": [5, 6], \"completion_ids\": [7, 2], \"score\": 1}\n");
  const auto refused = [&](const std::vector<std::string>& overrides) {
    const test::Finished finished = run_hone(run.train(reward("train/_base", overrides)));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    return finished.err;
  };
  const std::string wrong_rows = refused({"data.train=" + scored.string()});
  EXPECT_TRUE(test::contains(wrong_rows, "scored.jsonl:1"));
  EXPECT_TRUE(test::contains(wrong_rows, "pairs of a chosen and a rejected answer"));
  EXPECT_TRUE(test::contains(refused({"model.num_labels=3"}), "model.num_labels"));
  EXPECT_TRUE(test::contains(
      refused({"reward.loss_type=regression", "reward.center_rewards_coefficient=0.1"}),
      "center_rewards_coefficient"));
}

}  // namespace
}  // namespace hone
