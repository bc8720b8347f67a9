#include "datasets/files.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    for (const char* name : {"b.jsonl", "a.csv.gz", "c.parquet", "README.md", ".hidden.jsonl",
                             "sub/d.jsonl", "odd[1].jsonl"})
      folder_.write(name, "");
  }
  /// Names of what `names`, below the folder, stand for.
  std::vector<std::string> expand(const std::vector<std::string>& names) {
    std::vector<std::string> files, below;
    for (const std::string& name : names) below.push_back(folder_.path().string() + "/" + name);
    for (const std::string& file : expand_files(below))
      files.push_back(file.substr(folder_.path().string().size() + 1));
    return files;
  }
  std::string refusal(const std::string& name) {
    return test::message_of<DataError>([&] { expand({name}); });
  }

  test::TempFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(Files, OfAFolderAreItsFilesOfRowsInOrder) {
  EXPECT_EQ(expand({""}), (Names{"a.csv.gz", "b.jsonl", "c.parquet", "odd[1].jsonl"}));
}

TEST_F(Files, OfAPatternAreWhatMatches) {
  EXPECT_EQ(expand({"*.jsonl"}), (Names{"b.jsonl", "odd[1].jsonl"}));
  EXPECT_EQ(expand({"{c,b}.*"}), (Names{"c.parquet", "b.jsonl"}));
  EXPECT_EQ(expand({"*/d.jsonl"}), (Names{"sub/d.jsonl"}));
}

TEST_F(Files, KeepTheOrderOfTheNames) {
  EXPECT_EQ(expand({"c.parquet", "a.*", "b.jsonl"}), (Names{"c.parquet", "a.csv.gz", "b.jsonl"}));
}

TEST_F(Files, ThatAreThereAreNoPatterns) {
  EXPECT_EQ(expand({"odd[1].jsonl"}), Names{"odd[1].jsonl"});
}

TEST_F(Files, ThatAreNotThereAreRefused) {
  EXPECT_TRUE(test::contains(refusal("no.jsonl"), "no.jsonl: there is no such file or folder"));
  EXPECT_TRUE(test::contains(refusal("no*.jsonl"), "no file matches the pattern"));
  folder_.write("empty/notes.txt", "");
  EXPECT_TRUE(test::contains(refusal("empty"), "it has notes.txt"));
}

}  // namespace
}  // namespace hone::datasets
