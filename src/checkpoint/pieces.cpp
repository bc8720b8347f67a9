#include "checkpoint/pieces.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The metadata of a rank's file. safetensors has texts only.
constexpr const char *kStep = "hone.step", *kRank = "hone.rank", *kWorld = "hone.world",
                     *kPlaces = "hone.places";

/// What a rank's file says of itself.
struct Label {
  PiecesOf of;
  json places;
};

Label read_label(const io::SafetensorsFile& file) try {
  const auto text = [&](const char* key) { return file.metadata().at(key); };
  return {{std::stoll(text(kStep)), std::stoi(text(kRank)), std::stoi(text(kWorld))},
          json::parse(text(kPlaces))};
} catch (const std::exception& error) {
  throw CheckpointError(fmt::format("{}: does not say which parts of tensors it holds: {}",
                                    file.path().string(), error.what()));
}

}  // namespace

std::string name_of_pieces(std::string_view kind, const PiecesOf& of) {
  return fmt::format("{}.rank-{:04}-of-{:04}.safetensors", kind, of.rank, of.world);
}

void write_pieces(const fs::path& path, const std::vector<Piece>& pieces, const PiecesOf& of) {
  std::vector<io::TensorView> views;
  json places = json::object();
  for (const Piece& piece : pieces) {
    views.push_back(piece.view);
    places[piece.view.name] = {{"shape", piece.shape}, {"begin", piece.begin}};
  }
  io::write_safetensors(path, views,
                        {{kStep, std::to_string(of.step)},
                         {kRank, std::to_string(of.rank)},
                         {kWorld, std::to_string(of.world)},
                         {kPlaces, places.dump()}});
}

std::int64_t StoredTensor::elements() const { return io::num_elements(shape).value(); }

void StoredTensor::read(std::int64_t begin, std::int64_t count, void* to) const {
  HONE_ASSERT(begin >= 0 && count >= 0 && begin + count <= elements(), "{}", name);
  const auto size = static_cast<std::int64_t>(io::dtype_size_bytes(dtype));
  auto* next = static_cast<std::byte*>(to);
  for (const Run& run : runs) {
    const std::int64_t first = std::max(begin, run.begin);
    const std::int64_t end = std::min(begin + count, run.begin + run.size);
    if (first >= end) continue;
    const auto bytes = static_cast<std::size_t>((end - first) * size);
    std::memcpy(next, run.data + (first - run.begin) * size, bytes);
    next += bytes;
  }
}

/// One file's view of a tensor.
struct StoredTensors::Placed {
  const io::TensorView& view;
  std::vector<std::int64_t> shape;
  std::int64_t begin;
};

StoredTensors::StoredTensors(const fs::path& folder, std::string_view kind,
                             const std::vector<std::string>& names, std::int64_t step)
    : kind_(kind) {
  const std::string whole = fmt::format("{}.safetensors", kind);
  const std::string of_ranks = fmt::format("{}.rank-", kind);
  for (const std::string& name : names) {
    if (name != whole && !name.starts_with(of_ranks)) continue;
    files_.emplace_back(folder / name);
    add_file(step);
  }
  HONE_CHECK(CheckpointError, !files_.empty(), "{}: holds no {}", folder.string(), whole);
  for (auto& [name, tensor] : tensors_) check_whole(tensor);
}

/// Takes in the last of files_.
void StoredTensors::add_file(std::int64_t step) {
  const io::SafetensorsFile& file = files_.back();
  const std::string name = file.path().filename().string();
  if (name == fmt::format("{}.safetensors", kind_)) {
    for (const io::TensorView& view : file.tensors()) add({view, view.shape, 0});
    return;
  }
  const Label label = read_label(file);
  HONE_CHECK(CheckpointError, label.of.step == step, "{}: is of step {}, the checkpoint of step {}",
             file.path().string(), label.of.step, step);
  HONE_CHECK(CheckpointError,
             name == name_of_pieces(kind_, label.of) && (world_ == 0 || world_ == label.of.world),
             "{}: holds the parts of rank {} of {}, which is not what its name and its neighbours "
             "say",
             file.path().string(), label.of.rank, label.of.world);
  world_ = label.of.world;
  for (const io::TensorView& view : file.tensors()) {
    try {
      const json& place = label.places.at(view.name);
      add({view, place.at("shape").get<std::vector<std::int64_t>>(),
           place.at("begin").get<std::int64_t>()});
    } catch (const json::exception& error) {
      throw CheckpointError(fmt::format("{}: does not say which elements of {} it holds: {}",
                                        file.path().string(), view.name, error.what()));
    }
  }
}

void StoredTensors::add(const Placed& piece) {
  const std::string path = files_.back().path().string();
  const auto elements = io::num_elements(piece.shape);
  const std::int64_t size = io::num_elements(piece.view.shape).value();
  HONE_CHECK(CheckpointError,
             elements && piece.begin >= 0 && size <= *elements && piece.begin <= *elements - size,
             "{}: {} elements of {} from {} do not lie in a tensor of shape {}", path, size,
             piece.view.name, piece.begin, io::shape_text(piece.shape));
  const StoredTensor::Run run = {piece.begin, size, piece.view.data, files_.size() - 1};
  const std::string& name = piece.view.name;
  const auto [entry, is_new] =
      tensors_.try_emplace(name, StoredTensor{name, piece.view.dtype, piece.shape, {}});
  StoredTensor& known = entry->second;
  HONE_CHECK(CheckpointError, known.shape == piece.shape && known.dtype == piece.view.dtype,
             "{}: {} is part of a {} of shape {}, and of a {} of shape {} in {}", path, name,
             io::dtype_name(piece.view.dtype), io::shape_text(piece.shape),
             io::dtype_name(known.dtype), io::shape_text(known.shape),
             files_[known.runs.front().file].path().string());
  known.runs.push_back(run);
}

void StoredTensors::check_whole(StoredTensor& tensor) const {
  std::ranges::sort(tensor.runs, {}, &StoredTensor::Run::begin);
  const auto path_of = [&](const StoredTensor::Run& run) {
    return files_[run.file].path().string();
  };
  std::int64_t next = 0;
  for (std::size_t i = 0; i < tensor.runs.size(); ++i) {
    const StoredTensor::Run& run = tensor.runs[i];
    HONE_CHECK(CheckpointError, run.begin >= next, "{}: holds elements of {} from {}, and {} too",
               path_of(run), tensor.name, run.begin, path_of(tensor.runs[i - 1]));
    HONE_CHECK(CheckpointError, run.begin == next,
               "{}: elements {} to {} of {} are in none of the files{}", path_of(run), next,
               run.begin - 1, tensor.name, files_that_are_not_there());
    next = run.begin + run.size;
  }
  HONE_CHECK(CheckpointError, next == tensor.elements(),
             "{}: elements {} to {} of {} are in none of the files{}", path_of(tensor.runs.back()),
             next, tensor.elements() - 1, tensor.name, files_that_are_not_there());
}

/// For a message: what may be missing, as a rank without parts writes no file.
std::string StoredTensors::files_that_are_not_there() const {
  std::vector<std::string> missing;
  for (int rank = 0; rank < world_; ++rank) {
    const std::string name = name_of_pieces(kind_, {.rank = rank, .world = world_});
    if (std::ranges::none_of(files_, [&](const auto& f) { return f.path().filename() == name; }))
      missing.push_back(name);
  }
  return missing.empty() ? "" : fmt::format("; there is no {}", fmt::join(missing, ", "));
}

const StoredTensor* StoredTensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace hone::checkpoint
