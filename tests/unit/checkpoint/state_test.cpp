#include "checkpoint/state.h"

#include <bit>
#include <limits>

#include "base/error.h"
#include "base/philox.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

using nlohmann::json;
using test::contains;

io::TensorView view(const std::string& name, io::DType dtype, std::vector<std::int64_t> shape,
                    const std::vector<std::byte>& bytes) {
  return {name, dtype, std::move(shape), bytes.data(), bytes.size()};
}

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  std::vector<std::byte> bytes(size);
  const Philox random(seed);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(random(i, 0).w[0]);
  return bytes;
}

bool same_bytes(const StoredTensor* found, const std::vector<std::byte>& expected) {
  if (found == nullptr) return false;
  const auto elements = static_cast<std::size_t>(found->elements());
  std::vector<std::byte> bytes(elements * io::dtype_size_bytes(found->dtype));
  found->read(0, found->elements(), bytes.data());
  return bytes == expected;
}

TEST(State, ReadsBackBitForBit) {
  const test::TempFolder run;
  const auto weights = random_bytes(4 * 6, 1), half = random_bytes(2 * 5, 2);  // NaNs and all
  const auto moment = random_bytes(4 * 6, 3), nothing = random_bytes(0, 4);
  const json about = {{"seed", std::numeric_limits<std::uint64_t>::max()},
                      {"config_sha256", "ab"},
                      {"loss_sum", 0.1}};
  const auto folder = save_state(
      run.path(), 120, about,
      {view("w", io::DType::kF32, {2, 3}, weights), view("h", io::DType::kBF16, {5}, half)},
      {view("w.exp_avg", io::DType::kF32, {2, 3}, moment),
       view("empty", io::DType::kF32, {0, 3}, nothing)});
  EXPECT_EQ(folder, run / "checkpoints/step-120");
  const State state = load_state(verify(folder));
  EXPECT_EQ(state.step, 120);
  EXPECT_EQ(state.about, about);
  EXPECT_EQ(state.trainable.tensors().size(), 2u);
  EXPECT_TRUE(same_bytes(state.trainable.find("w"), weights));
  EXPECT_EQ(state.trainable.find("w")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(same_bytes(state.trainable.find("h"), half));
  EXPECT_EQ(state.trainable.find("h")->dtype, io::DType::kBF16);
  EXPECT_TRUE(same_bytes(state.optimizer.find("w.exp_avg"), moment));
  EXPECT_TRUE(same_bytes(state.optimizer.find("empty"), nothing));
}

TEST(State, OfAnOptimizerWithoutMomentsIsEmpty) {
  const test::TempFolder run;
  const State state = load_state(verify(save_state(run.path(), 1, {}, {}, {})));
  EXPECT_TRUE(state.optimizer.tensors().empty());
}

TEST(State, TheSameStateGivesTheSameFiles) {
  const test::TempFolder run, other;
  const auto bytes = random_bytes(64, 1);
  for (const auto* folder : {&run, &other})
    save_state(folder->path(), 1, {{"seed", 1}}, {view("w", io::DType::kF32, {16}, bytes)}, {});
  EXPECT_EQ(read_file(run / "checkpoints/step-1/manifest.json"),
            read_file(other / "checkpoints/step-1/manifest.json"));
}

TEST(State, AFolderOfAnotherKindIsRefused) {
  const test::TempFolder run;
  FolderWriter(run / "adapter").commit("adapter", {});
  const std::string message =
      test::message_of<CheckpointError>([&] { load_state(verify(run / "adapter")); });
  EXPECT_TRUE(contains(message, "kind 'adapter', not a checkpoint"));
}

TEST(State, ACheckpointWithoutAFileOfTheStateIsRefused) {
  const test::TempFolder run;
  FolderWriter writer(run / "x");
  writer.write("state.json", "{}");
  writer.commit(kCheckpointKind, {{"step", 1}});
  const std::string message =
      test::message_of<CheckpointError>([&] { load_state(verify(run / "x")); });
  EXPECT_TRUE(contains(message, "does not list trainable.safetensors"));
}

}  // namespace
}  // namespace hone::checkpoint
