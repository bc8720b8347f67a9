#include "checkpoint/folder_writer.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/manifest.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::contains;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

void write_folder(const fs::path& destination, const std::string& content) {
  FolderWriter writer(destination);
  writer.write("a", content);
  writer.commit("test", {});
}

/// The id of a process that has ended.
pid_t dead_pid() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

class FolderWriting : public testing::Test {
 protected:
  fs::path out() const { return folder_ / "out"; }
  test::TempFolder folder_;
};

TEST_F(FolderWriting, AppearsOnlyWhenCommittedAndThenWhole) {
  {
    FolderWriter writer(out());
    writer.write("a", "one");
    fs::create_directory(writer.folder() / "sub");
    write_file_atomically(writer.folder() / "sub" / "b", "two");
    EXPECT_FALSE(fs::exists(out()));
    writer.commit("test", {{"step", 1}});
  }
  const VerifiedFolder found = verify(out());
  EXPECT_EQ(found.manifest.kind, "test");
  EXPECT_EQ(found.manifest.about, (nlohmann::json{{"step", 1}}));
  EXPECT_EQ(found.manifest.files.size(), 2u);
  EXPECT_TRUE(found.manifest.files.contains("sub/b"));
  EXPECT_EQ(read_file(out() / "a"), "one");
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"out"});
}

TEST_F(FolderWriting, WithoutCommitTheOldOneStaysAndNothingIsLeftBehind) {
  write_folder(out(), "old");
  { FolderWriter(out()).write("a", "new"); }
  EXPECT_EQ(read_file(out() / "a"), "old");
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"out"});
}

TEST_F(FolderWriting, ReplacesAnEarlierFolderWhole) {
  {
    FolderWriter writer(out());
    writer.write("a", "old");
    writer.write("only-in-the-old", "x");
    writer.commit("test", {});
  }
  write_folder(out(), "new");
  EXPECT_NO_THROW(verify(out()));
  EXPECT_EQ(names_in(out()), (std::set<std::string>{"a", kManifestName}));
  EXPECT_EQ(read_file(out() / "a"), "new");
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"out"});
}

TEST_F(FolderWriting, AFolderThatIsNotOursIsKeptUnderAnotherName) {
  folder_.write("out/thesis.tex", "years of work");
  folder_.write("out.replaced/earlier", "x");
  write_folder(out(), "new");
  EXPECT_EQ(read_file(out() / "a"), "new");
  EXPECT_EQ(read_file(folder_ / "out.replaced-2/thesis.tex"), "years of work");
  EXPECT_EQ(names_in(folder_.path()),
            (std::set<std::string>{"out", "out.replaced", "out.replaced-2"}));
}

TEST_F(FolderWriting, AFileInThePlaceIsKeptUnderAnotherNameToo) {
  folder_.write("out", "");
  write_folder(out(), "new");
  EXPECT_EQ(read_file(out() / "a"), "new");
  EXPECT_EQ(read_file(folder_ / "out.replaced"), "");
}

TEST_F(FolderWriting, AFileWhereAFolderShouldBeIsAnIoError) {
  folder_.write("file", "content");
  const std::string message =
      test::message_of<IoError>([&] { write_folder(folder_ / "file/out", "new"); });
  EXPECT_TRUE(contains(message, (folder_ / "file").string()));
  EXPECT_EQ(read_file(folder_ / "file"), "content");
}

TEST_F(FolderWriting, ALinkAmongTheFilesIsRefused) {
  FolderWriter writer(out());
  fs::create_symlink("/etc/hostname", writer.folder() / "link");
  EXPECT_TRUE(contains(test::message_of<IoError>([&] { writer.commit("test", {}); }), "link"));
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(FolderWriting, MakesTheFoldersAboveIt) {
  write_folder(folder_ / "x/y/out", "content");
  EXPECT_NO_THROW(verify(folder_ / "x/y/out"));
}

TEST_F(FolderWriting, ARemovedFolderIsGone) {
  write_folder(out(), "content");
  remove_folder(out());
  EXPECT_TRUE(names_in(folder_.path()).empty());
}

TEST_F(FolderWriting, LeftoversOfDeadProcessesAndOfAnEarlierOneWithThisIdAreCleaned) {
  write_folder(out(), "content");
  const pid_t dead = dead_pid();
  folder_.write(fmt::format(".step-1.{}.tmp/a", dead), "x");
  folder_.write(fmt::format(".run.json.{}.tmp", dead), "x");
  folder_.write(fmt::format(".step-2.{}.tmp/a", ::getpid()), "x");
  folder_.write(fmt::format(".out.{}.old/a", dead), "x");
  EXPECT_EQ(clean_leftovers(folder_.path()), 4);
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"out"});
  EXPECT_EQ(read_file(out() / "a"), "content");
}

TEST_F(FolderWriting, WhatBelongsToOthersIsNotCleaned) {
  const std::set<std::string> names = {fmt::format(".step-1.{}.tmp", ::getppid()),
                                       ".hidden",
                                       ".notes.tmp",
                                       "step-1.99999999.tmp",
                                       ".x.12y.tmp",
                                       "..12.tmp",
                                       ".step.-5.tmp"};
  for (const auto& name : names) folder_.write(name, "x");
  EXPECT_EQ(clean_leftovers(folder_.path()), 0);
  EXPECT_EQ(names_in(folder_.path()), names);
}

TEST_F(FolderWriting, AnOldFolderWhoseReplacementNeverCameIsBroughtBack) {
  write_folder(out(), "old");
  const pid_t dead = dead_pid();
  fs::rename(out(), folder_ / fmt::format(".out.{}.old", dead));
  folder_.write(fmt::format(".out.{}.tmp/a", dead), "half");
  EXPECT_EQ(clean_leftovers(folder_.path()), 2);
  EXPECT_NO_THROW(verify(out()));
  EXPECT_EQ(read_file(out() / "a"), "old");
}

TEST_F(FolderWriting, CleaningWhereThereIsNoFolderIsNothing) {
  EXPECT_EQ(clean_leftovers(folder_ / "none"), 0);
}

}  // namespace
}  // namespace hone::checkpoint
