#include "report/mlflow.h"

#include <limits>

#include "support/support.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;
using test::contains;

/// The value and the step of each line of a metric's file: "value@step value@step …".
std::string history(const MlflowRun& run, const std::string& metric) {
  std::istringstream lines(read_file(run.folder() / "metrics" / metric));
  std::string all, time, value, step;
  while (lines >> time >> value >> step) all += (all.empty() ? "" : " ") + value + "@" + step;
  return all;
}

TEST(MlflowRun, LiesInTheStoreAsMlflowReadsIt) {
  const test::TempFolder folder;
  MlflowRun run(folder / "mlruns", folder / "runs/first", {{"optim.learning_rate", "0.001"}}, 0);
  EXPECT_EQ(run.folder().parent_path(), folder / "mlruns/0");
  EXPECT_EQ(run.folder().filename().string().size(), 32u);
  EXPECT_TRUE(contains(read_file(folder / "mlruns/0/meta.yaml"), "name: Default"));
  EXPECT_EQ(read_file(run.folder() / "params/optim.learning_rate"), "0.001");
  EXPECT_EQ(read_file(run.folder() / "tags/mlflow.runName"), "first");
  EXPECT_TRUE(contains(read_file(run.folder() / "meta.yaml"), "status: 1\n"));
  EXPECT_TRUE(contains(read_file(run.folder() / "meta.yaml"), "end_time: null\n"));

  run.append(1, {{"loss", 0.1}, {"rewards/chosen", -1.5}, {"tokens", std::int64_t{64}}});
  run.append(2, {{"loss", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(history(run, "loss"), "0.1@1 nan@2");
  EXPECT_EQ(history(run, "rewards/chosen"), "-1.5@1");
  EXPECT_EQ(history(run, "tokens"), "64@1");
  run.close("done");
  EXPECT_TRUE(contains(read_file(run.folder() / "meta.yaml"), "status: 3\n"));
  EXPECT_FALSE(contains(read_file(run.folder() / "meta.yaml"), "end_time: null"));
}

TEST(MlflowRun, GoesOnWithWhatItHadWrittenUpToItsCheckpoint) {
  const test::TempFolder folder;
  const auto open = [&](std::int64_t last_step) {
    return MlflowRun(folder / "mlruns", folder / "run", {}, last_step);
  };
  {
    MlflowRun run = open(0);
    for (std::int64_t step = 1; step <= 4; ++step)
      run.append(step, {{"loss", double(step)}, {"a/b", 0.5}});
    run.close("stopped");
    LineFile(run.folder() / "metrics/loss", fs::file_size(run.folder() / "metrics/loss"))
        .append_bytes("1700000000000 5");  // torn by a kill
  }
  MlflowRun again = open(2);
  again.append(3, {{"loss", 30.0}, {"a/b", 1.5}});
  EXPECT_EQ(history(again, "loss"), "1@1 2@2 30@3");
  EXPECT_EQ(history(again, "a/b"), "0.5@1 0.5@2 1.5@3");
  const MlflowRun afresh = open(0);
  EXPECT_EQ(afresh.folder(), again.folder());
  EXPECT_FALSE(fs::exists(afresh.folder() / "metrics/loss"));
}

}  // namespace
}  // namespace hone::report
