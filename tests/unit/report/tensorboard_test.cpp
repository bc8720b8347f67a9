#include "report/tensorboard.h"

#include <gtest/gtest.h>

#include "support/support.h"

// What TensorBoard itself reads of these files: tests/parity/tensorboard_reads.py.

namespace hone::report {
namespace {

TEST(Crc32c, AgreesWithTheStandardsExamples) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
}

TEST(TensorBoard, ResumedRunsAddAFile) {
  const test::TempFolder folder;
  TensorBoardLog(folder / "tb", 0).append(1, {{"loss", 2.0}});
  TensorBoardLog(folder / "tb", 1).append(2, {{"loss", 1.0}});
  const auto files = files_matching(folder / "tb/events.out.tfevents.*.hone.*");
  ASSERT_EQ(files.size(), 2u);
  for (const std::string& file : files)
    EXPECT_TRUE(test::contains(read_file(file), "brain.Event:2"));
}

}  // namespace
}  // namespace hone::report
