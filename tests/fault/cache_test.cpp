// Processes that make a token cache: several at once, killed in the middle, and on a disk that
// fills up. Whatever happens, the next one gets the right rows and nothing is left behind.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "datasets/cached_load.h"
#include "fault/child.h"
#include "fault/small_disk.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;

/// Rows of tokens: nothing but the cache is looked at here.
std::string rows_of_tokens(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    std::string ids, mask;
    for (int t = 0; t <= i % 50; ++t) {
      ids += (t > 0 ? "," : "") + std::to_string((i * 131 + t * 17) % 30000);
      mask += t > i % 7 ? (t > 0 ? ",1" : "1") : (t > 0 ? ",0" : "0");
    }
    rows += "{\"input_ids\":[" + ids + "],\"completion_mask\":[" + mask + "]}\n";
  }
  return rows;
}

class MakingACache : public testing::Test {
 protected:
  explicit MakingACache(int rows = 4000) {
    files_ = {folder_.write("rows.jsonl", rows_of_tokens(rows)).string()};
    options_.cache = "off";
    held_ = load(files_, options_, tools_, 0);
    options_.cache = folder_ / "cache";
  }

  Dataset load_cached(const LoadSettings& settings = {.threads = 2}) const {
    return load(files_, options_, tools_, 0, settings);
  }

  /// The rows are right, and the folder holds the cache alone.
  void expect_right_and_clean(const Dataset& data) const {
    ASSERT_EQ(data.lengths(), held_.lengths());
    EXPECT_EQ(data.totals(), held_.totals());
    for (std::int64_t i = 0; i < data.size(); ++i) {
      ASSERT_EQ(data.example(i).ids, held_.example(i).ids) << "row " << i;
      ASSERT_EQ(data.example(i).weights, held_.example(i).weights) << "row " << i;
    }
    int caches = 0;
    for (const auto& entry : fs::directory_iterator(options_.cache)) {
      if (entry.path().filename() == "file_hashes.json") continue;
      EXPECT_EQ(entry.path().extension(), ".h5") << entry.path();
      ++caches;
    }
    EXPECT_EQ(caches, 1);
  }

  test::TempFolder folder_;
  DataOptions options_ = config::defaults<DataOptions>();
  TextTools tools_ = {.vocab_size = 30000};
  std::vector<std::string> files_;
  Dataset held_;
};

TEST_F(MakingACache, SeveralProcessesAtOnceMakeItOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(test::start_child([&, i] {
      bool has_read = false;
      const Dataset data =
          load_cached({.threads = 2, .watch = [&](const LoadProgress&) { has_read = true; }});
      if (has_read) std::ofstream(folder_ / ("made-by-" + std::to_string(i)));
      ASSERT_EQ(data.totals(), held_.totals());
    }));
  for (const pid_t child : children) EXPECT_EQ(test::wait_for(child), 0);
  int makers = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    makers += entry.path().filename().string().starts_with("made-by-");
  EXPECT_EQ(makers, 1);
  expect_right_and_clean(load_cached());
}

TEST_F(MakingACache, TheOneThatWaitsGoesOnWhenTheMakerDies) {
  const fs::path begun = folder_ / "begun";
  const pid_t maker = test::start_child([&] {
    load_cached({.threads = 1, .watch = [&](const LoadProgress&) {
                   std::ofstream(begun).put('x');
                   ::pause();
                 }});
  });
  while (!fs::exists(begun)) ::usleep(1000);
  const fs::path said = folder_ / "said";
  const pid_t waiter = test::start_child([&] {
    ASSERT_NE(std::freopen(said.c_str(), "w", stderr), nullptr);
    load_cached();
  });
  while (!fs::exists(said) || fs::file_size(said) == 0) ::usleep(1000);
  ::kill(maker, SIGKILL);
  EXPECT_EQ(test::wait_for(maker), -SIGKILL);
  EXPECT_EQ(test::wait_for(waiter), 0);
  EXPECT_TRUE(test::contains(read_file(said), "waiting for it"));
  expect_right_and_clean(load_cached());
}

TEST_F(MakingACache, KilledAtRandomMomentsLeavesNothingThatIsBelieved) {
  std::mt19937 random(std::random_device{}());
  int killed = 0;
  for (int round = 0; round < 60; ++round) {
    fs::remove_all(options_.cache);
    const pid_t child = test::start_child([&] { load_cached(); });
    ::usleep(random() % 60000);
    ::kill(child, round % 2 == 0 ? SIGKILL : SIGTERM);
    killed += test::wait_for(child) < 0;
    ASSERT_NO_FATAL_FAILURE(expect_right_and_clean(load_cached()));
  }
  EXPECT_GT(killed, 10) << "the kills came too late to mean anything";
}

class MakingASmallCache : public MakingACache {
 protected:
  MakingASmallCache() : MakingACache(30) {}
};

// Between two calls of the thread that writes nothing on the disk changes: that is every moment.
TEST_F(MakingASmallCache, KilledBeforeAnyCallOfTheWriterLeavesNothingThatIsBelieved) {
  ::setenv("TMPDIR", test::folder_in_memory().c_str(), 1);
  int moment = 0;
  for (bool was_killed = true; was_killed; ++moment) {
    fs::remove_all(options_.cache);
    was_killed = test::kill_before_system_call(moment, [&] { load_cached(); });
    ASSERT_NO_FATAL_FAILURE(expect_right_and_clean(load_cached())) << "before call " << moment;
  }
  EXPECT_GT(moment, 40);
}

TEST_F(MakingACache, OnADiskThatFillsItIsToldAndNothingStays) {
  const test::TempFolder disk;
  options_.cache = disk / "cache";
  const auto try_every_room = [&] {
    if (!test::mount_small_disk(disk.path(), "size=2m")) ::_exit(test::kSkipped);
    int refused = 0;
    std::uint64_t room = 0;
    for (bool is_made = false; !is_made; room += 16384) {
      ASSERT_LT(room, 1900u << 10) << "it should fit by now";
      test::fill_disk(disk.path(), room);
      try {
        load_cached();
        is_made = true;
      } catch (const IoError& error) {
        ++refused;
        EXPECT_TRUE(test::contains(error.what(), disk.path().string()));
        EXPECT_TRUE(test::contains(error.what(), "No space left on device"));
        if (fs::exists(options_.cache))
          for (const auto& entry : fs::directory_iterator(options_.cache))
            EXPECT_EQ(entry.path().filename(), "file_hashes.json") << "with room for " << room;
      }
      fs::remove(disk / "ballast");
      ASSERT_FALSE(testing::Test::HasFailure()) << "with room for " << room << " bytes";
    }
    EXPECT_GT(refused, 5);
    expect_right_and_clean(load_cached());
  };
  const int code = test::wait_for(test::start_child(try_every_room));
  if (code == test::kSkipped) GTEST_SKIP() << "this user may not mount a file system";
  EXPECT_EQ(code, 0);
}

TEST_F(MakingACache, AFileOfRowsThatChangesMeanwhileIsRefused) {
  bool has_changed = false;
  const auto change = [&](const LoadProgress&) {
    if (has_changed) return;
    has_changed = true;
    std::ofstream(files_[0], std::ios::app) << "{\"input_ids\":[1,2]}\n";
  };
  const std::string message =
      test::message_of<DataError>([&] { load_cached({.threads = 1, .watch = change}); });
  EXPECT_TRUE(test::contains(message, "changed while they were read"));
  for (const auto& entry : fs::directory_iterator(options_.cache))
    EXPECT_EQ(entry.path().filename(), "file_hashes.json");
}

}  // namespace
}  // namespace hone::datasets
