#include "checkpoint/checkpoints.h"

#include <fmt/format.h>

#include "base/error.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/options.h"
#include "config/load.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::contains;
using Steps = std::vector<std::int64_t>;

class RunWithCheckpoints : public testing::Test {
 protected:
  void save(std::int64_t step) const {
    FolderWriter writer(folder_of_step(run(), step));
    writer.write("weights", std::string(100, 'w'));
    writer.commit(kCheckpointKind, {{"step", step}});
  }
  void damage(std::int64_t step) const {
    run_.write(fmt::format("checkpoints/step-{}/weights", step), std::string(100, 'x'));
  }
  Steps steps() const {
    Steps found;
    for (const Entry& entry : list(run())) found.push_back(entry.step);
    return found;
  }
  /// The newest valid step (-1 without any); `skipped_` gets the reasons.
  std::int64_t newest() {
    skipped_.clear();
    const auto found = newest_valid(
        run(), [&](const fs::path&, const std::string& reason) { skipped_.push_back(reason); });
    return found ? found->manifest.about.at("step").get<std::int64_t>() : -1;
  }
  const fs::path& run() const { return run_.path(); }

  test::TempFolder run_;
  std::vector<std::string> skipped_;
};

TEST_F(RunWithCheckpoints, AreListedByStepNotByName) {
  EXPECT_EQ(steps(), Steps());
  for (const std::int64_t step : {10, 9, 100, 0}) save(step);
  EXPECT_EQ(steps(), (Steps{0, 9, 10, 100}));
}

TEST_F(RunWithCheckpoints, OtherNamesAreNoCheckpoints) {
  save(1);
  for (const char* name : {"step-02", "step-", "step-x", "step--1", "step-3.replaced",
                           ".step-4.1.tmp", "other", "step-99999999999999999999"})
    fs::create_directory(run() / "checkpoints" / name);
  run_.write("checkpoints/step-5", "a file");
  EXPECT_EQ(steps(), Steps{1});
}

TEST_F(RunWithCheckpoints, TheNewestIsTheHighestStep) {
  EXPECT_EQ(newest(), -1);
  for (const std::int64_t step : {10, 9, 100}) save(step);
  EXPECT_EQ(newest(), 100);
  EXPECT_TRUE(skipped_.empty());
}

TEST_F(RunWithCheckpoints, DamagedOnesArePassedOverWithAReason) {
  for (const std::int64_t step : {1, 2, 3, 4}) save(step);
  damage(4);
  fs::remove(run() / "checkpoints/step-3/manifest.json");
  EXPECT_EQ(newest(), 2);
  ASSERT_EQ(skipped_.size(), 2u);
  EXPECT_TRUE(contains(skipped_[0], "step-4"));
  EXPECT_TRUE(contains(skipped_[0], "SHA-256"));
  EXPECT_TRUE(contains(skipped_[1], "step-3/manifest.json: is missing"));
}

TEST_F(RunWithCheckpoints, OneThatWasRenamedIsNotTakenForAnotherStep) {
  save(1);
  save(2);
  fs::rename(run() / "checkpoints/step-1", run() / "checkpoints/step-9");
  EXPECT_EQ(newest(), 2);
  ASSERT_EQ(skipped_.size(), 1u);
  EXPECT_TRUE(contains(skipped_[0], "step-9: holds step 1"));
}

TEST_F(RunWithCheckpoints, AnotherKindOfFolderIsNotTakenForOne) {
  FolderWriter writer(run() / "checkpoints/step-3");
  writer.commit("adapter", {{"step", 3}});
  EXPECT_EQ(newest(), -1);
  EXPECT_TRUE(contains(skipped_.at(0), "kind 'adapter'"));
}

TEST_F(RunWithCheckpoints, RetentionKeepsTheHighestSteps) {
  for (const std::int64_t step : {5, 10, 15, 20}) save(step);
  retain(run(), 2);
  EXPECT_EQ(steps(), (Steps{15, 20}));
  retain(run(), 2);
  EXPECT_EQ(steps(), (Steps{15, 20}));
}

TEST_F(RunWithCheckpoints, RetentionOfZeroKeepsAll) {
  for (const std::int64_t step : {5, 10, 15}) save(step);
  retain(run(), 0);
  EXPECT_EQ(steps(), (Steps{5, 10, 15}));
}

TEST_F(RunWithCheckpoints, RetentionNeverDeletesTheNewestValidOne) {
  for (const std::int64_t step : {5, 10, 15, 20}) save(step);
  damage(15);
  damage(20);
  retain(run(), 1);
  EXPECT_EQ(steps(), (Steps{10, 20}));
  EXPECT_EQ(newest(), 10);
}

TEST_F(RunWithCheckpoints, RetentionDeletesNothingWhereNoneIsValid) {
  for (const std::int64_t step : {5, 10}) save(step), damage(step);
  retain(run(), 1);
  EXPECT_EQ(steps(), (Steps{5, 10}));
}

TEST_F(RunWithCheckpoints, GoingOnFromAnEarlierStepSetsTheLaterOnesAside) {
  for (const std::int64_t step : {5, 10, 15}) save(step);
  set_aside_after(run(), 5);
  save(7);
  retain(run(), 1);
  EXPECT_EQ(newest(), 7);
  EXPECT_EQ(steps(), Steps{7});
  EXPECT_NO_THROW(verify(run() / "checkpoints/step-10.superseded"));
  EXPECT_NO_THROW(verify(run() / "checkpoints/step-15.superseded"));
  save(10);
  set_aside_after(run(), 7);
  EXPECT_NO_THROW(verify(run() / "checkpoints/step-10.superseded-2"));
}

TEST(CheckpointOptions, DefaultsAndHelpComeFromItsTable) {
  const auto options = config::defaults<CheckpointOptions>();
  EXPECT_EQ(options.save_steps, 500);
  EXPECT_EQ(options.keep_last, 2);
  for (const auto& field : CheckpointOptions::table().schema().fields)
    EXPECT_FALSE(field.help.empty()) << field.key;
}

}  // namespace
}  // namespace hone::checkpoint
