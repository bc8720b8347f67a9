#include "checkpoint/pieces.h"

#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "support/support.h"

// Checkpoints of tensors that ranks keep parts of.

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::contains;
using Floats = std::vector<float>;

constexpr std::int64_t kStep = 7;

Floats count_to(std::size_t n) {
  Floats values(n);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

/// Elements [begin, begin + size) of a whole of that shape.
Piece piece(const std::string& name, const Floats& whole, std::vector<std::int64_t> shape,
            std::int64_t begin, std::int64_t size) {
  return {{name,
           io::DType::kF32,
           {size},
           reinterpret_cast<const std::byte*>(whole.data() + begin),
           static_cast<std::size_t>(size) * sizeof(float)},
          std::move(shape),
          begin};
}

io::TensorView whole_view(const std::string& name, const Floats& values) {
  return {name,
          io::DType::kF32,
          {std::ssize(values)},
          reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(float)};
}

Floats read(const StoredTensors& stored, const std::string& name, std::int64_t begin,
            std::int64_t count) {
  Floats values(static_cast<std::size_t>(count));
  const StoredTensor* tensor = stored.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  if (tensor != nullptr) tensor->read(begin, count, values.data());
  return values;
}

/// A checkpoint of `w` [5, 4], its parts over ranks that keep so many elements each, and of one
/// number that is whole.
struct SharedRun {
  test::TempFolder run;
  Floats w = count_to(20), moment = Floats(20, 0.5f), seen = {42};

  fs::path save(const std::vector<std::int64_t>& sizes) const {
    StateWriter writer(run.path(), kStep);
    writer.write({{"seed", 1}}, {whole_view("seen", seen)}, {});
    Manifest::Files files;
    std::int64_t begin = 0;
    for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
      RankParts parts{{kStep, static_cast<int>(rank), static_cast<int>(sizes.size())}, {}, {}};
      if (sizes[rank] > 0) {
        parts.trainable.push_back(piece("w", w, {5, 4}, begin, sizes[rank]));
        parts.optimizer.push_back(piece("w.exp_avg", moment, {5, 4}, begin, sizes[rank]));
      }
      begin += sizes[rank];
      files.merge(write_parts(writer.folder(), parts));
    }
    return writer.commit({}, files);
  }

  fs::path path_of(const char* kind, int rank, int world) const {
    return folder_of_step(run.path(), kStep) / name_of_pieces(kind, {kStep, rank, world});
  }

  /// Writes another file in the place of a rank's, as if its writer had meant it.
  void replace(int rank, int world, const std::vector<Piece>& pieces, const PiecesOf& of) const {
    const fs::path folder = folder_of_step(run.path(), kStep);
    write_pieces(path_of("trainable", rank, world), pieces, of);
    Manifest manifest = read_manifest(folder);
    const std::string name = name_of_pieces("trainable", {kStep, rank, world});
    manifest.files[name] = flush_file(folder / name);
    write_file_atomically(folder / kManifestName, render(manifest));
  }

  std::string refusal() const {
    return test::message_of<CheckpointError>(
        [&] { load_state(verify(folder_of_step(run.path(), kStep))); });
  }
};

TEST(Pieces, AreReadByAnyOtherCutAndWhole) {
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{5, 5, 5, 5}, {3, 17}, {20}, {7, 6, 7}, {0, 20, 0}}) {
    const SharedRun shared;
    const State state = load_state(verify(shared.save(sizes)));
    EXPECT_EQ(state.step, kStep);
    EXPECT_EQ(state.trainable.tensors().size(), 2u);
    EXPECT_EQ(state.trainable.find("w")->shape, (std::vector<std::int64_t>{5, 4}));
    EXPECT_EQ(read(state.trainable, "seen", 0, 1), shared.seen);
    for (std::int64_t begin = 0; begin <= 20; ++begin)
      for (std::int64_t count = 0; begin + count <= 20; ++count) {
        const auto first = shared.w.begin() + begin;
        EXPECT_EQ(read(state.trainable, "w", begin, count), Floats(first, first + count));
      }
    EXPECT_EQ(read(state.optimizer, "w.exp_avg", 0, 20), shared.moment);
  }
}

TEST(Pieces, OfRanksWithoutAnyHaveNoFile) {
  const SharedRun shared;
  shared.save({0, 20, 0});
  EXPECT_FALSE(fs::exists(shared.path_of("trainable", 0, 3)));
  EXPECT_TRUE(fs::exists(shared.path_of("trainable", 1, 3)));
  EXPECT_TRUE(fs::exists(shared.path_of("optimizer", 1, 3)));
}

TEST(Pieces, AFileThatIsMissingOrAlteredIsNamedAndTheCheckpointPassedOver) {
  const SharedRun shared;
  for (const bool is_missing : {true, false}) {
    shared.save({10, 10});
    const fs::path file = shared.path_of("optimizer", 1, 2);
    if (is_missing) {
      fs::remove(file);
    } else {
      std::string bytes = read_file(file);
      bytes.back() ^= 1;
      write_file_atomically(file, bytes);
    }
    EXPECT_TRUE(contains(shared.refusal(), "optimizer.rank-0001-of-0002.safetensors"));
    EXPECT_FALSE(newest_valid(shared.run.path(), [](const auto&, const auto&) {}));
  }
}

TEST(Pieces, AFileOfAnotherStepIsRefused) {
  const SharedRun shared;
  shared.save({10, 10});
  shared.replace(1, 2, {piece("w", shared.w, {5, 4}, 10, 10)}, {kStep - 1, 1, 2});
  const std::string message = shared.refusal();
  EXPECT_TRUE(contains(message, "trainable.rank-0001-of-0002.safetensors: is of step 6"));
}

TEST(Pieces, AFileOfAnotherRankIsRefused) {
  const SharedRun shared;
  shared.save({10, 10});
  shared.replace(1, 2, {piece("w", shared.w, {5, 4}, 10, 10)}, {kStep, 0, 2});
  EXPECT_TRUE(contains(shared.refusal(), "holds the parts of rank 0 of 2"));
}

TEST(Pieces, ElementsInTwoFilesAreRefused) {
  const SharedRun shared;
  shared.save({10, 10});
  shared.replace(1, 2, {piece("w", shared.w, {5, 4}, 9, 11)}, {kStep, 1, 2});
  const std::string message = shared.refusal();
  EXPECT_TRUE(contains(message, "trainable.rank-0001-of-0002.safetensors"));
  EXPECT_TRUE(contains(message, "holds elements of w from 9"));
}

TEST(Pieces, ElementsInNoFileAreRefused) {
  const SharedRun shared;
  shared.save({10, 10, 0});
  shared.replace(1, 3, {piece("w", shared.w, {5, 4}, 12, 8)}, {kStep, 1, 3});
  EXPECT_TRUE(contains(shared.refusal(),
                       "elements 10 to 11 of w are in none of the files; there "
                       "is no trainable.rank-0002-of-0003.safetensors"));
  shared.replace(1, 3, {piece("w", shared.w, {5, 4}, 10, 8)}, {kStep, 1, 3});
  EXPECT_TRUE(contains(shared.refusal(), "elements 18 to 19 of w are in none"));
}

TEST(Pieces, ThatLieOutsideTheirTensorOrDisagreeAboutItAreRefused) {
  const SharedRun shared;
  shared.save({10, 10});
  Piece outside = piece("w", shared.w, {5, 4}, 10, 10);
  outside.begin = 11;
  shared.replace(1, 2, {outside}, {kStep, 1, 2});
  EXPECT_TRUE(contains(shared.refusal(), "do not lie in a tensor of shape [5, 4]"));
  shared.replace(1, 2, {piece("w", shared.w, {4, 5}, 10, 10)}, {kStep, 1, 2});
  EXPECT_TRUE(contains(shared.refusal(), "of shape [4, 5]"));
}

TEST(Pieces, AnUncommittedCheckpointLeavesTheOneBeforeAndNothingElse) {
  const SharedRun shared;
  shared.save({10, 10});
  {
    StateWriter writer(shared.run.path(), kStep + 1);
    writer.write({}, {}, {});
    write_parts(writer.folder(), {{kStep + 1, 1, 2}, {piece("w", shared.w, {5, 4}, 0, 20)}, {}});
  }
  EXPECT_EQ(newest_valid(shared.run.path())->manifest.about["step"], kStep);
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(shared.run / "checkpoints"))
    ++entries;
  EXPECT_EQ(entries, 1);
}

TEST(Pieces, WhatARankSaysItWroteHasToBeThereAtTheCommit) {
  const SharedRun shared;
  StateWriter writer(shared.run.path(), kStep);
  writer.write({}, {}, {});
  const Manifest::Files elsewhere = {{"trainable.rank-0001-of-0002.safetensors", {100, "ab"}}};
  EXPECT_TRUE(contains(test::message_of<IoError>([&] { writer.commit({}, elsewhere); }),
                       "trainable.rank-0001-of-0002.safetensors"));
}

TEST(Manifest, SharesOfItsFilesAreAllOfThem) {
  const SharedRun shared;
  const fs::path folder = shared.save({5, 5, 5, 5});
  const Manifest manifest = read_manifest(folder);
  for (const auto& [name, file] : manifest.files) {
    const std::string bytes = read_file(folder / name);
    std::string altered = bytes;
    altered.back() ^= 1;
    write_file_atomically(folder / name, altered);
    std::size_t found = 0;
    for (int share = 0; share < 3; ++share)
      found += problems_of_share(folder, manifest, share, 3).size();
    EXPECT_EQ(found, 1u) << name;
    write_file_atomically(folder / name, bytes);
  }
}

}  // namespace
}  // namespace hone::checkpoint
