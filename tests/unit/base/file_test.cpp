#include "base/file.h"

#include <fstream>

#include "base/error.h"
#include "support/support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const test::TempFolder folder;
  {
    AtomicFile file(folder / "a");
    file.write("content");
    EXPECT_FALSE(fs::exists(folder / "a"));
    file.commit();
  }
  EXPECT_EQ(read_file(folder / "a"), "content");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, WithoutCommitTheOldFileStaysAndNothingIsLeftBehind) {
  const test::TempFolder folder;
  folder.write("a", "old");
  { AtomicFile(folder / "a").write("new"); }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

// /dev/full takes an open and refuses every write with ENOSPC, as a full disk does.
TEST(LineFile, FullDiskIsAnIoErrorThatSaysSo) {
  const std::string message =
      test::message_of<IoError>([] { LineFile("/dev/full", 0).append("line"); });
  EXPECT_TRUE(test::contains(message, "No space left on device"));
}

TEST(LineFile, RefusesToKeepMoreThanThereIs) {
  const test::TempFolder folder;
  folder.write("log", "one\n");
  EXPECT_TRUE(
      test::contains(test::message_of<IoError>([&] { LineFile(folder / "log", 100); }), "shorter"));
}

TEST(LineFile, CutsWhatAResumedRunRepeats) {
  const test::TempFolder folder;
  folder.write("log", "one\ntwo\nthree\n");
  LineFile(folder / "log", 8).append("again");
  EXPECT_EQ(read_file(folder / "log"), "one\ntwo\nagain\n");
}

TEST(MappedFile, ShowsTheBytesAndTakesAnEmptyFile) {
  const test::TempFolder folder;
  const MappedFile full(folder.write("full", "abc"));
  EXPECT_EQ(full.size_bytes(), 3u);
  EXPECT_EQ(static_cast<char>(full.data()[2]), 'c');
  EXPECT_EQ(MappedFile(folder.write("empty", "")).size_bytes(), 0u);
}

TEST(ReadFile, NamesWhatItCannotRead) {
  const test::TempFolder folder;
  EXPECT_TRUE(test::contains(test::message_of<IoError>([&] { read_file(folder / "none"); }),
                             (folder / "none").string()));
  EXPECT_TRUE(test::contains(test::message_of<IoError>([&] { read_file(folder.path()); }),
                             "reading failed"));
}

}  // namespace
}  // namespace hone
