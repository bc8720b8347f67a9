#include "base/file_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "support/support.h"

namespace hone {
namespace {

TEST(FileLock, IsHeldByOneAndGoneAfterwards) {
  const test::TempFolder folder;
  {
    const auto first = FileLock::try_take(folder / "a.lock");
    ASSERT_TRUE(first);
    EXPECT_FALSE(FileLock::try_take(folder / "a.lock"));
    EXPECT_TRUE(FileLock::try_take(folder / "b.lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a.lock"));
  EXPECT_TRUE(FileLock::try_take(folder / "a.lock"));
}

// Each holder removes the file, so that the next ones lock files of the same name in turn.
TEST(FileLock, NeverLetsTwoIn) {
  const test::TempFolder folder;
  std::atomic<int> inside = 0, rounds = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const FileLock lock = FileLock::take(folder / "a.lock");
        EXPECT_EQ(++inside, 1);
        --inside;
        ++rounds;
      }
    });
  threads.clear();
  EXPECT_EQ(rounds, 1200);
}

TEST(FileLock, TellsWhereItCannotBe) {
  const std::string message =
      test::message_of<IoError>([] { FileLock::take("/no/such/folder/a.lock"); });
  EXPECT_TRUE(test::contains(message, "/no/such/folder/a.lock"));
}

}  // namespace
}  // namespace hone
