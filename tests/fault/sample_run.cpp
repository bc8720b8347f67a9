#include "fault/sample_run.h"

#include <gtest/gtest.h>

#include <vector>

#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

void expect_all_equal(const checkpoint::StoredTensors& stored, float version) {
  ASSERT_EQ(stored.tensors().size(), 1u);
  const checkpoint::StoredTensor& tensor = stored.tensors().begin()->second;
  std::vector<float> elements(static_cast<std::size_t>(tensor.elements()));
  tensor.read(0, tensor.elements(), elements.data());
  for (const float element : elements) ASSERT_EQ(element, version) << stored.path();
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
