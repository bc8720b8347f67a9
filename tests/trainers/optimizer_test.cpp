#include "base/file.h"
#include "optim/method.h"
#include "support/tiny_run.h"

// Every optimizer through the command line: a run that goes on from a checkpoint ends with the
// same bits as the run that made it.

namespace hone {
namespace {

using test::run_hone;
using test::TinyRun;

class EveryOptimizer : public testing::TestWithParam<std::string> {};

std::vector<std::string> options_for(const std::string& name) {
  std::vector<std::string> options = {"optim.name=" + name, "train.max_steps=12",
                                      "checkpoint.save_steps=4", "checkpoint.keep_last=9"};
  if (name == "sgd") options.push_back("optim.momentum=0.9");
  if (name == "galore_adamw") {
    options.push_back("optim.galore_rank=4");
    options.push_back("optim.galore_update_proj_gap=5");
  }
  return options;
}

TEST_P(EveryOptimizer, GoesOnWithTheSameBits) {
  const TinyRun run("{method: full}");
  const std::vector<std::string> options = options_for(GetParam());
  const test::Finished whole = run_hone(run.train(options));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const std::string product = read_file(run.output() / "model" / "model.safetensors");
  const auto metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), 12u);
  EXPECT_NE(metrics.front()["loss"], metrics.back()["loss"]);

  std::vector<std::string> again = options;
  again.insert(again.end(), {"--resume", (run.output() / "checkpoints" / "step-4").string()});
  const test::Finished resumed = run_hone(run.train(again));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(read_file(run.output() / "model" / "model.safetensors"), product);
  const auto after = test::read_jsonl(run.output() / "metrics.jsonl");
  ASSERT_EQ(after.size(), 12u);
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i]["loss"], metrics[i]["loss"]);
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const optim::Method& method : optim::methods()) list.push_back(method.name);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryOptimizer, testing::ValuesIn(names()),
                         [](const auto& test) { return test.param; });

// The average is in the checkpoint, and the product is made of it.
TEST(OptimizerOptions, AveragesAreSavedAndMakeTheProduct) {
  const TinyRun run("{method: lora, r: 4}"), plain("{method: lora, r: 4}");
  const std::vector<std::string> options = {"train.max_steps=8", "checkpoint.save_steps=3",
                                            "checkpoint.keep_last=9"};
  ASSERT_EQ(run_hone(plain.train(options)).exit_code, 0);
  std::vector<std::string> averaged = options;
  averaged.push_back("optim.ema_decay=0.9");
  ASSERT_EQ(run_hone(run.train(averaged)).exit_code, 0);
  const auto product = [](const TinyRun& of) {
    return read_file(of.output() / "adapter" / "adapter_model.safetensors");
  };
  const std::string whole = product(run);
  EXPECT_NE(whole, product(plain));
  averaged.insert(averaged.end(), {"--resume", (run.output() / "checkpoints" / "step-3").string()});
  ASSERT_EQ(run_hone(run.train(averaged)).exit_code, 0);
  EXPECT_EQ(product(run), whole);
}

// Each of them changes the run, and none its first loss.
TEST(OptimizerOptions, GroupsClippingAndDftReachTheRun) {
  const TinyRun plain("{method: lora, r: 4}");
  const std::vector<std::string> options = {"train.max_steps=6", "schedule.warmup_steps=0"};
  ASSERT_EQ(run_hone(plain.train(options)).exit_code, 0);
  const auto lines = [](const TinyRun& of) {
    return test::read_jsonl(of.output() / "metrics.jsonl");
  };
  const auto expected = lines(plain);
  for (const char* option : {"optim.groups=[{pattern: lora_B, learning_rate: 0.01}]",
                             "optim.loraplus_lr_ratio=8", "train.max_grad_value=1e-4"}) {
    const TinyRun run("{method: lora, r: 4}");
    std::vector<std::string> more = options;
    more.push_back(option);
    const test::Finished finished = run_hone(run.train(more));
    ASSERT_EQ(finished.exit_code, 0) << option << finished.err;
    EXPECT_EQ(lines(run).front()["loss"], expected.front()["loss"]) << option;
    EXPECT_NE(lines(run).back()["loss"], expected.back()["loss"]) << option;
  }
  const TinyRun run("{method: lora, r: 4}");
  std::vector<std::string> more = options;
  more.push_back("train.loss_type=dft");
  ASSERT_EQ(run_hone(run.train(more)).exit_code, 0);
  EXPECT_LT(lines(run).front()["loss"], expected.front()["loss"]);
}

TEST(OptimizerOptions, ACheckpointOfAnotherOptimizerIsRefusedByName) {
  const TinyRun run("{method: lora, r: 4}");
  const std::vector<std::string> options = {"train.max_steps=2", "checkpoint.save_steps=1"};
  ASSERT_EQ(run_hone(run.train(options)).exit_code, 0);
  std::vector<std::string> again = options;
  again.insert(again.end(), {"optim.name=lion", "--resume", "auto"});
  const test::Finished finished = run_hone(run.train(again));
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_TRUE(test::contains(finished.err, "optim.name: then \"adamw\", now \"lion\""));
}

}  // namespace
}  // namespace hone
