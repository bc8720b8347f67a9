#include <cmath>

#include "io/json.h"
#include "support/tiny_run.h"

// Quantisation-aware training from the command line.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

constexpr const char* kFull = "{method: full}";
constexpr const char* kLora = "{method: lora, r: 4, lora_alpha: 32}";

std::vector<std::string> with(std::vector<std::string> options,
                              const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

const std::vector<std::string> kInt4 = {"qat.format=int4", "qat.block_size=32"};

std::string rows() { return test::fixture("train/data/sft.jsonl").string(); }

/// The last value of a key in metrics.jsonl.
double last(const TinyRun& run, const char* key) {
  double value = std::nan("");
  for (const json& row : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (row.contains(key)) value = row[key];
  return value;
}

std::vector<json> losses(const TinyRun& run) {
  std::vector<json> found;
  for (const json& row : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (row.contains("loss")) found.push_back(row["loss"]);
  return found;
}

double eval_loss(const std::filesystem::path& model) {
  const Finished done =
      run_hone({"eval", "--model", model.string(), "--dtype", "fp32", "--data", rows(), "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  return done.exit_code == 0 ? json::parse(done.out)["eval_loss"].get<double>() : std::nan("");
}

// The test that matters: what was evaluated in training is what is served.
TEST(Qat, TheProductIsTheModelThatWasTrained) {
  for (const char* adapter : {kFull, kLora})
    for (const std::vector<std::string>& format :
         {kInt4,
          std::vector<std::string>{"qat.format=int4", "qat.block_size=32", "qat.symmetric=false"},
          std::vector<std::string>{"qat.format=int8"},
          std::vector<std::string>{"qat.format=nf4"}}) {
      const TinyRun run(adapter);
      const Finished trained = run_hone(run.train(
          with(format, {"train.max_steps=6", "data.eval=" + rows(), "optim.learning_rate=1e-2"})));
      ASSERT_EQ(trained.exit_code, 0) << trained.err;
      const double served = eval_loss(run.output() / "quantized");
      EXPECT_NEAR(served, last(run, "eval_loss"), 1e-6) << adapter << format[0];
    }
}

// A model that was trained without loses something when it is packed; here there is nothing left to
// lose (see TheProductIsTheModelThatWasTrained).
TEST(Qat, TrainsOtherwiseThanWithout) {
  const auto train = [](const TinyRun& run, const std::vector<std::string>& more) {
    const Finished done =
        run_hone(run.train(with(more, {"train.max_steps=60", "optim.learning_rate=3e-3"})));
    EXPECT_EQ(done.exit_code, 0) << done.err;
  };
  const TinyRun aware(kFull), plain(kFull);
  train(aware, kInt4);
  train(plain, {});
  EXPECT_NE(losses(aware), losses(plain));
  const std::string packed = (plain.folder / "packed").string();
  ASSERT_EQ(run_hone({"quantize", "--model", (plain.output() / "model").string(), "--format",
                      "int4", "--group-size", "32", "--output", packed})
                .exit_code,
            0);
  EXPECT_GT(eval_loss(packed), eval_loss(plain.output() / "model") + 0.01);
}

TEST(Qat, BeginsAfterSoManySteps) {
  const TinyRun late(kFull), plain(kFull);
  ASSERT_EQ(
      run_hone(late.train(with(kInt4, {"train.max_steps=8", "qat.fake_quant_after_n_steps=5"})))
          .exit_code,
      0);
  ASSERT_EQ(run_hone(plain.train({"train.max_steps=8"})).exit_code, 0);
  const std::vector<json> a = losses(late), b = losses(plain);
  ASSERT_EQ(a.size(), 8u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(a[i], b[i]) << i;
  EXPECT_NE(a[5], b[5]);
}

TEST(Qat, GoesOnToTheBitAndAccumulatesAlike) {
  const std::vector<std::string> options =
      with(kInt4, {"train.max_steps=8", "qat.fake_quant_after_n_steps=3", "checkpoint.save_steps=2",
                   "checkpoint.keep_last=9"});
  const TinyRun whole(kLora), parts(kLora);
  ASSERT_EQ(run_hone(whole.train(options)).exit_code, 0);
  ASSERT_EQ(run_hone(parts.train(options)).exit_code, 0);
  const std::string from = (parts.output() / "checkpoints" / "step-4").string();
  const Finished resumed = run_hone(with(parts.train(options), {"--resume", from}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses(whole), losses(parts));
  const Finished other =
      run_hone(with(parts.train(with(options, {"qat.block_size=64", "qat.skip=[down_proj]"})),
                    {"--resume", from}));
  EXPECT_NE(other.exit_code, 0);
  EXPECT_TRUE(contains(other.err, "qat"));

  const TinyRun accumulated(kFull), at_once(kFull);
  ASSERT_EQ(run_hone(accumulated.train(with(kInt4, {"train.max_steps=4"}))).exit_code, 0);
  ASSERT_EQ(run_hone(at_once.train(
                         with(kInt4, {"train.max_steps=4", "train.per_device_train_batch_size=8",
                                      "train.gradient_accumulation_steps=1"})))
                .exit_code,
            0);
  const std::vector<json> a = losses(accumulated), b = losses(at_once);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_NEAR(a[0].get<double>(), b[0].get<double>(), 1e-5);
}

TEST(Qat, RefusesWhatHasNoMeaning) {
  for (const auto& [adapter, more, reason] :
       std::vector<std::tuple<std::string, std::vector<std::string>, std::string>>{
           {"{method: lora, r: 4, lora_dropout: 0.1}", kInt4, "set it to 0"},
           {"{method: prompt_tuning, num_virtual_tokens: 4}", kInt4, "virtual tokens"},
           {kFull, {"qat.format=int4"}, "do not divide into groups of 64"},
           {kFull, {"qat.format=nf4", "qat.symmetric=false"}, "int4 and int8_group only"},
           {kFull, {"qat.skip=[q_proj]"}, "no effect without qat.format"},
           {kFull, with(kInt4, {"qat.skip=[query]"}), "matches no layer"},
           {kFull, with(kInt4, {"qat.fake_quant_after_n_steps=20"}), "would end before"}}) {
    const TinyRun run(adapter);
    const Finished refused = run_hone(run.train(more));
    EXPECT_EQ(refused.exit_code, 2) << reason;
    EXPECT_TRUE(contains(refused.err, reason));
  }
}

}  // namespace
}  // namespace hone
