#include "base/hash.h"

#include "base/error.h"
#include "support/support.h"

namespace hone {
namespace {

// FIPS 180-4's example values.
TEST(Sha256, MatchesPublishedValues) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PiecesAndFileGiveTheHashOfTheWhole) {
  const test::TempFolder folder;
  const std::string text(3'000'000, 'x');
  EXPECT_EQ(Sha256().update(text.substr(0, 7)).update(text.substr(7)).hex(), sha256_hex(text));
  EXPECT_EQ(sha256_file(folder.write("big", text)), sha256_hex(text));
}

TEST(Sha256, MissingFileIsAnIoErrorThatNamesIt) {
  EXPECT_TRUE(test::contains(test::message_of<IoError>([] { sha256_file("/no/such/file"); }),
                             "/no/such/file"));
}

}  // namespace
}  // namespace hone
