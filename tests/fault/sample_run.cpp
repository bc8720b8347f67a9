#include "fault/sample_run.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

void expect_all_equal(const io::SafetensorsFile& file, float version) {
  ASSERT_EQ(file.tensors().size(), 1u);
  const io::TensorView& tensor = file.tensors()[0];
  for (std::size_t at = 0; at < tensor.size_bytes; at += sizeof(float)) {
    float element = 0;
    std::memcpy(&element, tensor.data + at, sizeof element);
    ASSERT_EQ(element, version) << file.path();
  }
}

}  // namespace

void save_version(const fs::path& run_folder, std::int64_t step, float version,
                  std::int64_t elements) {
  const std::vector<float> values(static_cast<std::size_t>(elements), version);
  const io::TensorView view = {"w",
                               io::DType::kF32,
                               {elements},
                               reinterpret_cast<const std::byte*>(values.data()),
                               values.size() * sizeof(float)};
  checkpoint::save_state(run_folder, step, {{"version", version}}, {view}, {view});
}

float newest_version(const fs::path& run_folder) {
  for (const checkpoint::Entry& entry : checkpoint::list(run_folder))
    EXPECT_NO_THROW(checkpoint::verify(entry.folder)) << entry.folder << " is listed";
  const auto newest = checkpoint::newest_valid(run_folder);
  if (!newest) return 0;
  const checkpoint::State state = checkpoint::load_state(*newest);
  const float version = state.about.at("version");
  EXPECT_EQ(newest->folder, checkpoint::folder_of_step(run_folder, state.step));
  expect_all_equal(state.trainable, version);
  expect_all_equal(state.optimizer, version);
  return version;
}

void expect_no_leftovers(const fs::path& run_folder) {
  for (const auto& entry : fs::directory_iterator(run_folder / "checkpoints"))
    EXPECT_TRUE(entry.path().filename().string().starts_with("step-")) << entry.path();
}

}  // namespace hone::test
