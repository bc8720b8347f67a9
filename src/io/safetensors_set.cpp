#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace hone::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

bool is_pickle_name(const fs::path& path) {
  constexpr std::array kSuffixes = {".bin", ".pt", ".pth", ".ckpt"};
  return std::find(kSuffixes.begin(), kSuffixes.end(), path.extension()) != kSuffixes.end();
}

[[noreturn]] void throw_pickle(const fs::path& path, const fs::path& folder) {
  throw DataError(fmt::format(
      "{0}: hone never reads pickle (.bin, .pt, .pth, .ckpt), since opening one can run any "
      "program. Convert it once, where it is trusted. A Hugging Face model:\n"
      "  python -c \"from transformers import AutoModelForCausalLM as M; "
      "M.from_pretrained('{1}').save_pretrained('{1}-safetensors', safe_serialization=True)\"\n"
      "A plain state dict:\n"
      "  python -c \"import torch; from safetensors.torch import save_file; "
      "state = torch.load('{0}', map_location='cpu', weights_only=True); "
      "save_file({{k: v.clone().contiguous() for k, v in state.items()}}, 'model.safetensors')\"",
      path.string(), folder.string()));
}

/// A link that leads nowhere counts: opening it says what is wrong.
bool is_listed(const fs::path& path) { return fs::exists(fs::symlink_status(path)); }

/// A few names and how many more there are.
std::string listing(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  const std::size_t shown = std::min(kShown, names.size());
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(shown);
  const std::string text = fmt::format("{}", fmt::join(names.begin(), end, ", "));
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

/// What the folder holds instead decides what the user should do.
[[noreturn]] void throw_no_weights(const fs::path& folder) {
  std::string found, remedy = "Check the path, or download the model again";
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path name = entry.path().filename();
    if (is_pickle_name(name)) throw_pickle(entry.path(), folder);
    if (name == "adapter_model.safetensors")
      remedy = "The folder is a PEFT adapter; a base model is expected here";
    if (name.extension() == ".gguf")
      remedy = fmt::format("To use the GGUF file, give its path: {}", entry.path().string());
  }
  throw DataError(fmt::format("{}: holds neither {} nor {}. {}", folder.string(), kSingleFile,
                              kIndexFile, remedy));
}

/// Tensor name to file name, as the index says.
std::map<std::string, std::string> read_weight_map(const fs::path& index_path) {
  const nlohmann::json index = read_json(index_path);
  const auto found = index.is_object() ? index.find("weight_map") : index.end();
  HONE_CHECK(DataError, found != index.end() && found->is_object(),
             "{}: lacks the object 'weight_map' that says which file holds each tensor",
             index_path.string());
  std::map<std::string, std::string> weight_map;
  for (const auto& [name, file] : found->items()) {
    const fs::path shard = file.is_string() ? fs::path(file.get<std::string>()) : fs::path();
    HONE_CHECK(DataError,
               !shard.empty() && shard == shard.filename() && shard != ".." && shard != ".",
               "{}: weight_map['{}'] is {}, expected the name of a file in the same folder",
               index_path.string(), name, file.dump());
    weight_map.emplace(name, shard.string());
  }
  return weight_map;
}

}  // namespace

void refuse_pickle(const fs::path& path) {
  if (is_pickle_name(path)) throw_pickle(path, path.parent_path());
}

SafetensorsSet::SafetensorsSet(const fs::path& path) {
  std::error_code ignored;
  if (path.extension() == ".json") {
    open_shards(path);
  } else if (!fs::is_directory(path, ignored)) {
    add_all_of(files_.emplace_back(path));
  } else if (is_listed(path / kSingleFile)) {
    add_all_of(files_.emplace_back(path / kSingleFile));
  } else if (is_listed(path / kIndexFile)) {
    open_shards(path / kIndexFile);
  } else {
    throw_no_weights(path);
  }
}

void SafetensorsSet::add_all_of(const SafetensorsFile& file) {
  for (const TensorView& tensor : file.tensors()) tensors_.emplace(tensor.name, &tensor);
}

void SafetensorsSet::open_shards(const fs::path& index_path) {
  const std::map<std::string, std::string> weight_map = read_weight_map(index_path);
  const fs::path folder = index_path.parent_path();
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map) names.insert(file);
  std::vector<std::string> missing;
  for (const std::string& name : names)
    if (std::error_code ignored; !fs::exists(folder / name, ignored)) missing.push_back(name);
  HONE_CHECK(DataError, missing.empty(),
             "{}: {} of {} shards that it lists are missing: {}. Download the model again",
             index_path.string(), missing.size(), names.size(), listing(missing));

  std::map<std::string, std::size_t> file_index;
  for (const std::string& name : names) {
    file_index.emplace(name, files_.size());
    files_.emplace_back(folder / name);
  }
  for (const auto& [tensor, file] : weight_map) {
    const TensorView* found = files_[file_index.at(file)].find(tensor);
    if (found != nullptr) tensors_.emplace(found->name, found);
    if (found == nullptr) missing.push_back(fmt::format("'{}' ({})", tensor, file));
  }
  HONE_CHECK(DataError, missing.empty(),
             "{}: {} tensors are not in the shards that it names for them: {}. Index and shards "
             "belong to different versions; download the model again",
             index_path.string(), missing.size(), listing(missing));
}

const TensorView* SafetensorsSet::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

}  // namespace hone::io
