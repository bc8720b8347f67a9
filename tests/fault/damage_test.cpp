// Checkpoints damaged as disks, copies and people damage them.
#include <algorithm>

#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "fault/sample_run.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;

class DamagedCheckpoint : public testing::TestWithParam<const char*> {
 protected:
  DamagedCheckpoint() {
    test::save_version(run_.path(), 1, 1);
    test::save_version(run_.path(), 2, 2);
    content_ = read_file(file());
  }
  fs::path file() const { return folder_of_step(run_.path(), 2) / GetParam(); }
  void put(const std::string& content) const {
    run_.write(std::string("checkpoints/step-2/") + GetParam(), content);
  }

  /// The reason for which step 2 was passed over in favour of step 1.
  void expect_passed_over(const std::string& what) const {
    std::string reason;
    const auto newest =
        newest_valid(run_.path(), [&](const fs::path&, const std::string& why) { reason = why; });
    ASSERT_TRUE(newest.has_value());
    EXPECT_EQ(newest->folder, folder_of_step(run_.path(), 1)) << what;
    EXPECT_TRUE(test::contains(reason, GetParam())) << what;
    EXPECT_TRUE(test::contains(reason, folder_of_step(run_.path(), 2).string())) << what;
  }

  test::TempFolder run_;
  std::string content_;
};

TEST_P(DamagedCheckpoint, WithAFlippedBitIsPassedOver) {
  const std::size_t stride = std::max<std::size_t>(content_.size() / 100, 1);
  for (std::size_t i = 0; i < content_.size(); i += stride) {
    std::string flipped = content_;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    put(flipped);
    expect_passed_over("flipped at " + std::to_string(i));
  }
  put(content_);
  EXPECT_EQ(test::newest_version(run_.path()), 2);
}

TEST_P(DamagedCheckpoint, ThatWasTruncatedIsPassedOver) {
  for (const std::size_t size : {std::size_t{0}, content_.size() / 2, content_.size() - 1}) {
    put(content_.substr(0, size));
    expect_passed_over("truncated to " + std::to_string(size));
  }
}

TEST_P(DamagedCheckpoint, WithoutAFileIsPassedOver) {
  fs::remove(file());
  expect_passed_over("removed");
}

TEST_P(DamagedCheckpoint, WithAFolderInPlaceOfAFileIsPassedOver) {
  fs::remove(file());
  fs::create_directory(file());
  expect_passed_over("a folder");
}

INSTANTIATE_TEST_SUITE_P(EachFile, DamagedCheckpoint,
                         testing::Values("state.json", "trainable.safetensors",
                                         "optimizer.safetensors", "manifest.json"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace hone::checkpoint
