#include "model/load.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "io/gguf.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;

/// What does not fit, gathered so that all of it is told together.
class Misfits {
 public:
  void missing(const std::string& name) { missing_.push_back(name); }
  void unexpected(const std::string& name) { unexpected_.push_back(name); }
  void misshapen(const WeightSlot& slot, const std::vector<std::int64_t>& found) {
    misshapen_.push_back(fmt::format("{} is {}, expected {}", slot.name, io::shape_text(found),
                                     io::shape_text(slot.shape)));
  }

  void refuse_if_any(const fs::path& model) const {
    if (missing_.empty() && unexpected_.empty() && misshapen_.empty()) return;
    std::string text =
        fmt::format("{}: the weights do not fit the model's config:", model.string());
    for (const auto& [what, names] :
         {std::pair{"missing", &missing_}, std::pair{"not expected", &unexpected_},
          std::pair{"of another shape", &misshapen_}}) {
      if (names->empty()) continue;
      const std::size_t shown = std::min<std::size_t>(names->size(), 20);
      text += fmt::format("\n  {} ({}): {}", what, names->size(),
                          fmt::join(names->begin(), names->begin() + std::ptrdiff_t(shown), ", "));
      if (shown < names->size()) text += ", …";
    }
    throw DataError(text);
  }

 private:
  std::vector<std::string> missing_, unexpected_, misshapen_;
};

/// Weights that older checkpoints carry and that say nothing: tables that are computed.
bool is_redundant(std::string_view name, const Spec& spec) {
  return name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         (spec.tie_word_embeddings && name == "lm_head.weight");
}

void place(const WeightSlot& slot, const Tensor& stored, const LoadOptions& options,
           const fs::path& model) {
  const Tensor tensor = stored.to(options.weight_dtype);
  HONE_CHECK(DataError, at::isfinite(tensor).all().item<bool>(),
             "{}: {} holds a value that is not finite{}", model.string(), slot.name,
             at::isfinite(stored).all().item<bool>()
                 ? fmt::format(" once it is cast to {}; choose a wider model.dtype",
                               torch::toString(options.weight_dtype))
                 : "");
  *slot.tensor = tensor.to(options.device);
}

/// Holds what a file stores against what the model's spec asks for, under the file's own names.
template <class File>
void check_weights(const std::vector<WeightSlot>& slots, std::string WeightSlot::*name_of,
                   const File& file, const std::vector<std::string_view>& stored_names,
                   const fs::path& model, const Spec& spec) {
  Misfits misfits;
  std::set<std::string_view> known;
  for (const WeightSlot& slot : slots) {
    known.insert(slot.*name_of);
    const auto* stored = file.find(slot.*name_of);
    if (stored == nullptr) misfits.missing(slot.*name_of);
    if (stored != nullptr && stored->shape != slot.shape) misfits.misshapen(slot, stored->shape);
  }
  for (const std::string_view name : stored_names)
    if (known.count(name) == 0 && !is_redundant(name, spec)) misfits.unexpected(std::string(name));
  misfits.refuse_if_any(model);
}

void load_safetensors(const std::vector<WeightSlot>& slots, const fs::path& model,
                      const LoadOptions& options, const Spec& spec) {
  const io::SafetensorsSet set(model);
  std::vector<std::string_view> stored_names;
  for (const auto& [name, view] : set.tensors()) stored_names.push_back(name);
  check_weights(slots, &WeightSlot::name, set, stored_names, model, spec);
  for (const WeightSlot& slot : slots) place(slot, to_tensor(*set.find(slot.name)), options, model);
}

/// llama.cpp turns neighbouring pairs where Hugging Face turns halves: within each head its rows
/// are interleaved. This puts them back.
Tensor uninterleave(const Tensor& rows, std::int64_t heads) {
  const std::int64_t half = rows.size(0) / heads / 2;
  std::vector<std::int64_t> split{heads, half, 2};
  if (rows.dim() == 2) split.push_back(rows.size(1));
  return rows.reshape(split).transpose(1, 2).reshape(rows.sizes()).contiguous();
}

void load_gguf(const std::vector<WeightSlot>& slots, const io::GgufFile& file,
               const LoadOptions& options, const Spec& spec) {
  std::vector<std::string_view> stored_names;
  for (const io::GgufTensor& tensor : file.tensors()) stored_names.push_back(tensor.name);
  check_weights(slots, &WeightSlot::gguf_name, file, stored_names, file.path(), spec);
  for (const WeightSlot& slot : slots) {
    Tensor values = torch::empty(slot.shape, torch::kFloat32);
    io::dequantize(*file.find(slot.gguf_name), values.mutable_data_ptr<float>());
    if (slot.interleaved_heads > 0) values = uninterleave(values, slot.interleaved_heads);
    place(slot, values, options, file.path());
  }
}

void check_model_exists(const fs::path& model) {
  HONE_CHECK(DataError, fs::exists(model),
             "{}: no such model; expected a Hugging Face folder, a .gguf file, or a name that "
             "tools/setup installed",
             model.string());
  io::refuse_pickle(model);
}

std::vector<fs::path> weight_files(const fs::path& model) {
  if (is_gguf(model)) return {model};
  std::vector<fs::path> files;
  const io::SafetensorsSet set(model);
  for (const io::SafetensorsFile& file : set.files()) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool is_gguf(const fs::path& model) { return model.extension() == ".gguf"; }

Spec load_spec(const fs::path& model) {
  check_model_exists(model);
  return is_gguf(model) ? spec_from_gguf(io::GgufFile(model))
                        : spec_from_config(model / "config.json");
}

Decoder load_decoder(const fs::path& model, const LoadOptions& options) {
  check_model_exists(model);
  const torch::NoGradGuard no_grad;
  Decoder decoder;
  decoder.compute_dtype = options.compute_dtype;
  if (is_gguf(model)) {
    const io::GgufFile file(model);
    decoder.spec = spec_from_gguf(file);
    load_gguf(weight_slots(decoder), file, options, decoder.spec);
  } else {
    decoder.spec = spec_from_config(model / "config.json");
    load_safetensors(weight_slots(decoder), model, options, decoder.spec);
  }
  tie_head(decoder);
  return decoder;
}

std::string hash_of_weights(const fs::path& model) {
  check_model_exists(model);
  const std::vector<fs::path> files = weight_files(model);
  if (files.size() == 1) return sha256_file(files.front());
  Sha256 hash;
  for (const fs::path& file : files) hash.update(sha256_file(file));
  return hash.hex();
}

}  // namespace hone::model
