#include "datasets/file_hashes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class FileHashes : public testing::Test {
 protected:
  fs::path memory() const { return folder_ / "hashes.json"; }
  std::string hash(const fs::path& file) const {
    return hash_files({file.string()}, memory()).front();
  }
  /// A file that was written long ago: so its content's time says, and `rest` for its entry's.
  fs::path old_file(const std::string& content) const {
    const fs::path file = folder_.write("rows.jsonl", content);
    const timespec long_ago[2] = {{.tv_sec = 1'600'000'000, .tv_nsec = 5},
                                  {.tv_sec = 1'600'000'000, .tv_nsec = 5}};
    EXPECT_EQ(::utimensat(AT_FDCWD, file.c_str(), long_ago, 0), 0);
    return file;
  }
  /// Puts a false hash into the memory, under the file's identity of now.
  void remember_falsely(const fs::path& file) const {
    const FileIdentity i = identity_of(file);
    const json entry = {
        {"identity", {i.device, i.inode, i.size_bytes, i.modified_ns, i.changed_ns}},
        {"sha256", "false"}};
    write_file_atomically(memory(), json{{file.string(), entry}}.dump());
  }

  test::TempFolder folder_;
};

TEST_F(FileHashes, AreThoseOfTheContent) {
  const fs::path a = folder_.write("a", "x"), b = folder_.write("b", "y");
  EXPECT_EQ(hash_files({b.string(), a.string()}, memory()),
            (std::vector<std::string>{sha256_hex("y"), sha256_hex("x")}));
}

TEST_F(FileHashes, ARememberedOneIsBelievedWhileNothingChanges) {
  const fs::path file = old_file("abc");
  remember_falsely(file);
  EXPECT_EQ(hash(file), "false");
}

TEST_F(FileHashes, AnyChangeIsSeenThoughSizeAndTimeAreAsBefore) {
  const fs::path file = old_file("abc");
  remember_falsely(file);
  old_file("abd");  // in place: same inode, size and time of content
  EXPECT_EQ(hash(file), sha256_hex("abd"));
  remember_falsely(file);
  fs::rename(folder_.write("other", "abe"), file);
  old_file("abe");
  EXPECT_EQ(hash(file), sha256_hex("abe"));
}

// Its next change could fall into the same tick of the clock.
TEST_F(FileHashes, AFileJustWrittenIsNotRemembered) {
  const fs::path file = old_file("abc");  // its entry has changed just now
  EXPECT_EQ(hash(file), sha256_hex("abc"));
  EXPECT_FALSE(fs::exists(memory()));
}

TEST_F(FileHashes, AFileThatRestsIsRemembered) {
  const fs::path file = test::source_folder() / "README.md";  // not written during the test
  const FileIdentity identity = identity_of(file);
  const std::string first = hash(file);
  if (!fs::exists(memory())) GTEST_SKIP() << "the checkout is younger than a moment";
  const json entry = json::parse(read_file(memory())).at(file.string());
  EXPECT_EQ(entry["sha256"], first);
  EXPECT_EQ(entry["identity"][4], identity.changed_ns);
  EXPECT_EQ(hash(file), first);
}

TEST_F(FileHashes, ADamagedMemoryIsPassedOver) {
  const fs::path file = old_file("abc");
  for (const std::string& content :
       {std::string("{"), std::string("[]"), std::string("\xff\0", 2),
        "{\"" + file.string() + "\": 7}", "{\"" + file.string() + "\": {\"identity\": 1}}"}) {
    write_file_atomically(memory(), content);
    EXPECT_EQ(hash(file), sha256_hex("abc"));
  }
}

TEST_F(FileHashes, AMissingFileIsNamed) {
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { hash(folder_ / "none.jsonl"); }),
                             "none.jsonl"));
}

}  // namespace
}  // namespace hone::datasets
