#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/error.h"
#include "model/load.h"
#include "support/text_model.h"
#include "tokenizer/tokenizer.h"
#include "trainers/trajectory.h"

// Reward models from labelled steps and from scores of several attributes: the loss of a run's
// first step against a second implementation in fp64, and the same step however it is cut.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::run_hone;
using test::TinyRun;
using torch::Tensor;

using Ids = std::vector<std::int64_t>;

/// Runs one step at learning rate 0 (the first of a warm-up), so that what is saved is what the
/// step computed with.
json first_step(const TinyRun& run, std::vector<std::string> options) {
  options.insert(options.end(), {"train.method=reward", "train.max_steps=1"});
  const test::Finished finished = run_hone(run.train(options));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return test::read_jsonl(run.output() / "metrics.jsonl").at(0);
}

/// The base, whose adapter adds nothing yet, with the head that was saved.
class Rater {
 public:
  Rater(const fs::path& base, const TinyRun& run) : decoder_(model::load_decoder(base, {})) {
    const io::SafetensorsFile saved(run.output() / "adapter" / "adapter_model.safetensors");
    const io::TensorView* view = saved.find("base_model.model.score.weight");
    if (view == nullptr) throw DataError("no head was saved");
    head_ = model::to_tensor(*view).to(torch::kFloat64).clone();
  }

  /// [T, outputs] f64, at every token.
  Tensor operator()(const Ids& ids) const {
    const torch::NoGradGuard no_grad;
    const std::int64_t size = std::ssize(ids);
    const Tensor hidden =
        model::hidden_states(decoder_, {torch::tensor(ids), torch::arange(size), {0, size}});
    return hidden.to(torch::kFloat64).mm(head_.t());
  }

 private:
  model::Decoder decoder_;
  Tensor head_;
};

std::string lines_of(const std::vector<json>& rows) {
  std::string text;
  for (const json& row : rows) text += row.dump() + "\n";
  return text;
}

/// Eight solutions of one to four steps.
std::vector<json> solutions() {
  std::vector<json> rows;
  for (int i = 0; i < 8; ++i) {
    json steps = json::array(), labels = json::array();
    for (int s = 0; s <= i % 4; ++s) {
      steps.push_back(fmt::format("{} step {} of {}", s % 2 == 0 ? "good" : "bad", s, i));
      labels.push_back((i + s) % 3 != 0);
    }
    rows.push_back(
        {{"prompt", fmt::format("{} + {} =", i, i)}, {"completions", steps}, {"labels", labels}});
  }
  return rows;
}

TEST(RewardRows, AStepsLossIsTheMeanCrossEntropyOfAllItsLabels) {
  const TinyRun run("{method: lora, r: 4}");
  const fs::path base = test::write_text_model(run.folder, "model");
  const std::string data = run.folder.write("rows.jsonl", lines_of(solutions())).string();
  const json step = first_step(
      run, {"model.base=" + base.string(), "data.train=" + data, "reward.loss_type=stepwise"});

  const Rater rater(base, run);
  const tokenizer::Tokenizer tokenizer = tokenizer::Tokenizer::load(base);
  double loss = 0, right = 0, labels = 0;
  for (const json& row : solutions()) {
    Ids ids, ends;
    const auto append = [&](const std::string& text, bool is_prompt) {
      for (const std::int32_t id : tokenizer.encode(text, {.add_special_tokens = is_prompt}).ids)
        ids.push_back(id);
    };
    append(row["prompt"], true);
    for (const json& one : row["completions"]) {
      append(one.get<std::string>() + "\n", false);
      ends.push_back(std::ssize(ids) - 1);
    }
    const Tensor outputs = rater(ids);
    for (std::size_t s = 0; s < ends.size(); ++s) {
      const double x = outputs[ends[s]][0].item<double>();
      const bool is_good = row["labels"][s];
      loss += std::log1p(std::exp(is_good ? -x : x));
      right += (x > 0) == is_good;
      labels += 1;
    }
  }
  EXPECT_NEAR(step["loss"].get<double>(), loss / labels, 1e-6);
  EXPECT_NEAR(step["accuracy"].get<double>(), right / labels, 1e-12);
  EXPECT_EQ(step["trained_tokens"], labels);
}

/// Eight answers with up to three attributes; one has none.
std::vector<json> scored() {
  std::vector<json> rows;
  for (int i = 0; i < 8; ++i) {
    const auto score = [&](int attribute) {
      return i == 3 || (i + attribute) % 4 == 1 ? json(nullptr) : json(0.5 * attribute - 0.25 * i);
    };
    json answer = json::array();
    for (int t = 0; t <= i; ++t) answer.push_back(20 + 7 * i + t);
    rows.push_back({{"prompt_ids", {5, 6 + i}},
                    {"completion_ids", answer},
                    {"score", {score(0), score(1), score(2)}}});
  }
  return rows;
}

TEST(RewardRows, ARowsLossIsTheMeanSquareOverTheAttributesThatItHas) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string data = run.folder.write("rows.jsonl", lines_of(scored())).string();
  const json step =
      first_step(run, {"data.train=" + data, "reward.loss_type=regression", "model.num_labels=3"});

  const Rater rater(test::fixture("train/_base"), run);
  double loss = 0;
  for (const json& row : scored()) {
    Ids ids = row["prompt_ids"];
    for (const json& id : row["completion_ids"]) ids.push_back(id);
    const Tensor outputs = rater(ids)[-1];
    double squares = 0, present = 0;
    for (int a = 0; a < 3; ++a) {
      if (row["score"][std::size_t(a)].is_null()) continue;
      squares +=
          std::pow(outputs[a].item<double>() - row["score"][std::size_t(a)].get<double>(), 2);
      present += 1;
    }
    if (present > 0) loss += squares / present;
  }
  EXPECT_NEAR(step["loss"].get<double>(), loss / 8, 1e-6);
}

// Solutions have different numbers of steps, so a mean of micro-batches' means would be another.
TEST(RewardRows, AreTheSameHoweverAStepIsCut) {
  const std::vector<std::vector<std::string>> cuts = {
      {"train.per_device_train_batch_size=8", "train.gradient_accumulation_steps=1"},
      {"train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=4"},
      {"train.tokens_per_device_batch=1", "train.gradient_accumulation_steps=8"}};
  for (const bool is_stepwise : {true, false}) {
    std::optional<TinyRun> whole;
    for (const std::vector<std::string>& cut : cuts) {
      const bool is_first = !whole.has_value();
      if (is_first) whole.emplace("{method: lora, r: 4}");
      const TinyRun other("{method: lora, r: 4}");
      const TinyRun& run = is_first ? *whole : other;
      const auto rows = is_stepwise ? solutions() : scored();
      std::vector<std::string> options = cut;
      options.insert(options.end(),
                     {"train.method=reward", "train.max_steps=4", "schedule.warmup_steps=0",
                      "data.train=" + run.folder.write("rows.jsonl", lines_of(rows)).string()});
      if (is_stepwise)
        options.insert(options.end(),
                       {"reward.loss_type=stepwise",
                        "model.base=" + test::write_text_model(run.folder, "model").string()});
      else
        options.insert(options.end(), {"reward.loss_type=regression", "model.num_labels=3"});
      const test::Finished finished = run_hone(run.train(options));
      ASSERT_EQ(finished.exit_code, 0) << finished.err;
      if (is_first) continue;
      EXPECT_LT(test::relative_difference(test::product_of(run), test::product_of(*whole)), 1e-5)
          << (is_stepwise ? "stepwise " : "regression ") << cut[0];
    }
  }
}

}  // namespace
}  // namespace hone
