#include "checkpoint/manifest.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

using nlohmann::json;
using test::contains;

Manifest example() {
  return {"checkpoint",
          {{"step", 3}, {"share", 0.1}, {"name", "größer\n"}},
          {{"a.bin", {3, sha256_hex("abc")}}, {"sub/b.bin", {0, sha256_hex("")}}}};
}

/// A folder as `example` describes it.
class ManifestOnDisk : public testing::Test {
 protected:
  ManifestOnDisk() {
    folder_.write("a.bin", "abc");
    folder_.write("sub/b.bin", "");
    folder_.write(kManifestName, render(example()));
  }
  std::string problem() const {
    return test::message_of<CheckpointError>([&] { verify(folder_.path()); });
  }

  test::TempFolder folder_;
};

TEST_F(ManifestOnDisk, ReadsBackAsItWasWritten) {
  const VerifiedFolder found = verify(folder_.path());
  EXPECT_EQ(found.folder, folder_.path());
  EXPECT_EQ(found.manifest.kind, "checkpoint");
  EXPECT_EQ(found.manifest.about, example().about);
  ASSERT_EQ(found.manifest.files.size(), 2u);
  EXPECT_EQ(found.manifest.files.at("a.bin").size_bytes, 3u);
  EXPECT_EQ(found.manifest.files.at("a.bin").sha256, sha256_hex("abc"));
}

TEST_F(ManifestOnDisk, FilesThatAreNotListedMayBeThere) {
  folder_.write("notes.txt", "mine");
  EXPECT_NO_THROW(verify(folder_.path()));
}

TEST_F(ManifestOnDisk, EveryFlippedBitOfTheManifestShows) {
  const std::string text = render(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      folder_.write(kManifestName, flipped);
      EXPECT_THROW(verify(folder_.path()), CheckpointError) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST_F(ManifestOnDisk, EveryTruncationOfTheManifestShows) {
  const std::string text = render(example());
  for (std::size_t size = 0; size < text.size(); ++size) {
    folder_.write(kManifestName, text.substr(0, size));
    EXPECT_THROW(verify(folder_.path()), CheckpointError) << size << " bytes";
  }
}

TEST_F(ManifestOnDisk, AllProblemsAreNamedAtOnce) {
  folder_.write("a.bin", "abd");
  std::filesystem::remove(folder_ / "sub/b.bin");
  const std::string message = problem();
  EXPECT_TRUE(contains(message, folder_.path().string()));
  EXPECT_TRUE(contains(message, "a.bin: its SHA-256 is " + sha256_hex("abd")));
  EXPECT_TRUE(contains(message, "sub/b.bin: No such file"));
}

TEST_F(ManifestOnDisk, AWrongSizeIsSaid) {
  folder_.write("a.bin", "abcd");
  EXPECT_TRUE(contains(problem(), "a.bin: has 4 bytes, expected 3"));
}

TEST_F(ManifestOnDisk, WithoutItTheFolderIsNotComplete) {
  std::filesystem::remove(folder_ / kManifestName);
  EXPECT_TRUE(contains(problem(), "was never completed"));
}

TEST_F(ManifestOnDisk, OfANewerVersionIsRefusedAsSuch) {
  json document = json::parse(render(example()));
  document["version"] = 99;
  folder_.write(kManifestName, document.dump());
  EXPECT_TRUE(contains(problem(), "format version 99, this hone reads version 1"));
}

TEST_F(ManifestOnDisk, APathOutOfTheFolderIsNotFollowed) {
  const std::string outside = "../" + folder_.path().filename().string() + "/a.bin";
  Manifest manifest = example();
  manifest.files = {{outside, {3, sha256_hex("abc")}}, {"/etc/hostname", {1, "x"}}};
  folder_.write(kManifestName, render(manifest));
  const std::string message = problem();
  EXPECT_TRUE(contains(message, outside + ": lies outside the folder"));
  EXPECT_TRUE(contains(message, "/etc/hostname: lies outside the folder"));
}

}  // namespace
}  // namespace hone::checkpoint
