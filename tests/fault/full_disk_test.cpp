// Disks that take no more: a real, small file system that fills up, and a limit on file sizes.
#include <signal.h>
#include <sys/resource.h>

#include "base/error.h"
#include "checkpoint/checkpoints.h"
#include "fault/child.h"
#include "fault/sample_run.h"
#include "fault/small_disk.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::fill_disk;
using test::mount_small_disk;
using test::newest_version;
using test::save_version;

constexpr std::int64_t kElements = 4096;  // 16 KiB a file of tensors

/// Tries to save version 2 over a run that holds version 1. @return whether it went well; where
/// not, the message names path and `reason`, and the run is as it was
bool save_or_leave_as_it_was(
    const fs::path& run, const std::string& reason, const std::function<void()>& before = [] {},
    const std::function<void()>& after = [] {}) {
  std::string message;
  before();
  try {
    save_version(run, 2, 2, kElements);
  } catch (const IoError& error) {
    message = error.what();
  }
  after();
  test::expect_no_leftovers(run);
  EXPECT_EQ(newest_version(run), message.empty() ? 2 : 1);
  if (message.empty()) return true;
  EXPECT_TRUE(contains(message, (run / "checkpoints").string()));
  EXPECT_TRUE(contains(message, reason));
  return false;
}

TEST(FullDisk, WithAnyRoomLeftTheEarlierCheckpointSurvives) {
  const test::TempFolder disk;
  const auto try_every_room = [&] {
    if (!mount_small_disk(disk.path())) ::_exit(test::kSkipped);
    int refused = 0;
    std::uint64_t room = 0;
    for (bool saved = false; !saved; room += 4096) {
      ASSERT_LT(room, 128u << 10) << "it should fit by now";
      const fs::path run = disk / "run";
      save_version(run, 1, 1, kElements);
      fill_disk(disk.path(), room);
      saved = save_or_leave_as_it_was(run, "No space left on device");
      refused += saved ? 0 : 1;
      fs::remove(disk / "ballast");
      fs::remove_all(run);
      ASSERT_FALSE(testing::Test::HasFailure()) << "with room for " << room << " bytes";
    }
    EXPECT_GT(refused, 8) << "two files of tensors alone need eight pages";
  };
  const int code = test::wait_for(test::start_child(try_every_room));
  if (code == test::kSkipped) GTEST_SKIP() << "this user may not mount a file system";
  EXPECT_EQ(code, 0);
}

TEST(FileSizeLimit, AtAnySizeTheEarlierCheckpointSurvives) {
  const test::TempFolder folder;
  const auto try_every_limit = [&] {
    ::signal(SIGXFSZ, SIG_IGN);  // the write then fails with EFBIG
    rlimit unlimited{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    int refused = 0;
    bool saved = false;
    for (rlim_t limit = 0; !saved; limit += 512) {
      ASSERT_LT(limit, 64u << 10) << "it should fit by now";
      const rlimit limited = {limit, unlimited.rlim_max};
      const fs::path run = folder / std::to_string(limit);
      save_version(run, 1, 1, kElements);
      saved = save_or_leave_as_it_was(
          run, "File too large", [&] { ::setrlimit(RLIMIT_FSIZE, &limited); },
          [&] { ::setrlimit(RLIMIT_FSIZE, &unlimited); });
      refused += saved ? 0 : 1;
      fs::remove_all(run);
      ASSERT_FALSE(testing::Test::HasFailure()) << "limited to " << limit << " bytes";
    }
    EXPECT_GT(refused, 30);
  };
  EXPECT_EQ(test::wait_for(test::start_child(try_every_limit)), 0);
}

TEST(FullDisk, RetentionMakesRoomAndSavingGoesOn) {
  const test::TempFolder disk;
  const auto fill_and_go_on = [&] {
    if (!mount_small_disk(disk.path())) ::_exit(test::kSkipped);
    float version = 0;
    try {
      for (; version < 100; ++version)
        save_version(disk.path(), static_cast<std::int64_t>(version) + 1, version + 1, kElements);
    } catch (const IoError&) {
    }
    ASSERT_GE(version, 2);
    ASSERT_LT(version, 100) << "the disk should be full by now";
    EXPECT_EQ(newest_version(disk.path()), version);
    retain(disk.path(), 1);
    save_version(disk.path(), 1000, 1000, kElements);
    EXPECT_EQ(newest_version(disk.path()), 1000);
  };
  const int code = test::wait_for(test::start_child(fill_and_go_on));
  if (code == test::kSkipped) GTEST_SKIP() << "this user may not mount a file system";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace hone::checkpoint
