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
