#include <algorithm>

#include "base/file.h"
#include "trainers/preference_runs.h"

// `hone train` in fp16 and in bf16 without masters, for each trainer.

namespace hone {
namespace {

using nlohmann::json;
using test::run_hone;
using test::TinyRun;

std::vector<std::string> run_of(const std::string& method, const std::vector<std::string>& more) {
  std::vector<std::string> all;
  if (method != "sft") all = test::preference_run(method);
  all.insert(all.end(), {"train.max_steps=6", "checkpoint.save_steps=3"});
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string product(const TinyRun& run) {
  const auto adapter = run.output() / "adapter" / "adapter_model.safetensors";
  return read_file(std::filesystem::exists(adapter) ? adapter
                                                    : run.output() / "model" / "model.safetensors");
}

class EveryTrainer : public testing::TestWithParam<std::string> {};

// The loss of fp32 but for roundings to fp16, the scale that stands in every line, and the bits of
// the whole run after going on from its middle.
TEST_P(EveryTrainer, TrainsInFp16) {
  const TinyRun half("{method: lora, r: 4}"), single("{method: lora, r: 4}");
  const auto options = run_of(GetParam(), {"train.precision=fp16"});
  const std::vector<json> got = test::steps_of(half, options);
  const std::vector<json> expected = test::steps_of(single, run_of(GetParam(), {}));
  ASSERT_EQ(got.size(), 6u);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i]["loss_scale"], 65536);
    const double loss = expected[i]["loss"];
    EXPECT_NEAR(got[i]["loss"].get<double>(), loss, 0.01 * std::max(1.0, loss)) << i;
    EXPECT_GT(got[i]["grad_norm"].get<double>(), 0);
    EXPECT_FALSE(expected[i].contains("loss_scale"));
  }
  EXPECT_NE(got[5]["loss"], expected[5]["loss"]);
  const std::string whole = product(half);
  std::vector<std::string> again = options;
  again.insert(again.end(), {"--resume", (half.output() / "checkpoints" / "step-3").string()});
  ASSERT_EQ(run_hone(half.train(again)).exit_code, 0);
  EXPECT_EQ(product(half), whole);
}

TEST_P(EveryTrainer, TrainsInPureBf16WithUpdatesInTheBackwardPass) {
  const TinyRun run("{method: full}"), late("{method: full}");
  std::vector<std::string> options =
      run_of(GetParam(), {"train.precision=pure_bf16", "train.gradient_accumulation_steps=1",
                          "train.max_grad_norm=0"});
  const std::vector<json> ordinary = test::steps_of(late, options);
  options.push_back("optim.step_in_backward=true");
  const std::vector<json> steps = test::steps_of(run, options);
  ASSERT_EQ(steps.size(), 6u);
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i]["loss"], ordinary[i]["loss"]);
  EXPECT_EQ(product(run), product(late));
}

INSTANTIATE_TEST_SUITE_P(Trainers, EveryTrainer,
                         testing::Values("sft", "dpo", "kto", "orpo", "reward"),
                         [](const auto& test) { return test.param; });

TEST(Precision, IsToldAtTheStart) {
  const TinyRun run("{method: full}");
  const test::Finished finished =
      run_hone(run.train({"train.max_steps=1", "train.precision=fp16", "optim.name=adamw_8bit"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  for (const char* part : {"trained weights fp32", "(masters)", "moments 8 bits and fp32",
                           "activations fp16", "the loss is scaled by 65536"})
    EXPECT_TRUE(test::contains(finished.err, part));
}

}  // namespace
}  // namespace hone
