// A process that saves checkpoints is ended with SIGKILL, at random moments and before each of its
// system calls in turn: between two of those nothing on the disk changes, so that is every moment.
#include <signal.h>
#include <unistd.h>

#include <random>

#include "base/error.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"
#include "fault/child.h"
#include "fault/sample_run.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::newest_version;
using test::save_version;

class KilledWhileSaving : public testing::Test {
 protected:
  KilledWhileSaving() {
    ::setenv("TMPDIR", test::folder_in_memory().c_str(), 1);
    folder_ = std::make_unique<test::TempFolder>();
    fs::create_directory(run());
  }
  fs::path run() const { return *folder_ / "run"; }

  /// Starts over from the checkpoints 1 and 2, whose versions are 1 and 2.
  void start_over() const {
    const fs::path before = *folder_ / "before";
    if (!fs::exists(before)) {
      save_version(before, 1, 1);
      save_version(before, 2, 2);
    }
    fs::remove_all(run());
    fs::copy(before, run(), fs::copy_options::recursive);
  }

  /// Kills `save`, which writes version 3, before each of its system calls.
  /// @param before_cleaning whether even without cleaning the newest must be version 2 or 3
  void kill_at_every_moment(const std::function<void()>& save, bool before_cleaning) const {
    int killed = 0, old_ones = 0, new_ones = 0;
    for (bool alive = true; alive; ++killed) {
      start_over();
      alive = test::kill_before_system_call(killed, save);
      const float uncleaned = newest_version(run());
      EXPECT_GE(uncleaned, before_cleaning ? 2 : 1) << "killed before call " << killed;
      clean_leftovers(run() / "checkpoints");
      const float version = newest_version(run());
      EXPECT_GE(version, 2) << "killed before call " << killed;
      ++(version == 3 ? new_ones : old_ones);
      test::expect_no_leftovers(run());
      save_version(run(), 4, 4);
      EXPECT_EQ(newest_version(run()), 4);
      if (HasFailure()) return;
    }
    EXPECT_GT(old_ones, 20);
    EXPECT_GT(new_ones, 2);
  }

  std::unique_ptr<test::TempFolder> folder_;
};

TEST_F(KilledWhileSaving, AtEveryMomentOfANewCheckpointOneIsWhole) {
  const auto save = [&] {
    save_version(run(), 3, 3);
    retain(run(), 2);
  };
  kill_at_every_moment(save, true);
}

TEST_F(KilledWhileSaving, AtEveryMomentOfReplacingACheckpointOneIsWhole) {
  kill_at_every_moment([&] { save_version(run(), 2, 3); }, true);
}

TEST_F(KilledWhileSaving, AtEveryMomentWhereFoldersCannotBeExchangedOneIsWholeAfterCleaning) {
  const auto save = [&] {
    test::refuse_exchange();
    save_version(run(), 2, 3);
  };
  kill_at_every_moment(save, false);
}

TEST_F(KilledWhileSaving, AtRandomMomentsOneRunAfterAnotherGoesOn) {
  std::mt19937 random(std::random_device{}());
  float version = 0;
  for (int round = 0; round < 100; ++round) {
    const pid_t child = test::start_child([&] {
      clean_leftovers(run() / "checkpoints");
      for (float next = newest_version(run()) + 1;; ++next) {
        save_version(run(), static_cast<std::int64_t>(next), next);
        retain(run(), 2);
      }
    });
    ::usleep(random() % 20000);
    ::kill(child, SIGKILL);
    ASSERT_EQ(test::wait_for(child), -SIGKILL) << "the child ended by itself";
    const float found = newest_version(run());
    ASSERT_GE(found, version) << "a checkpoint was lost";
    version = found;
  }
  EXPECT_GT(version, 100) << "too few were saved for the kills to mean anything";
}

}  // namespace
}  // namespace hone::checkpoint
