#include "model/load.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "model/name_patterns.h"
#include "model/resize.h"
#include "model/rope_config.h"
#include "model/weight_reader.h"
#include "quant/quantize.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;

void check_model_exists(const fs::path& model) {
  std::error_code ignored;
  HONE_CHECK(DataError, fs::exists(model, ignored),
             "{}: no such model; expected a Hugging Face folder, a .gguf file, or a name that "
             "tools/setup installed",
             model.string());
  io::refuse_pickle(model);
}

/// Says where weights are kept in another dtype than they are stored in, and what that loses.
void tell_dtype(const std::string& stored, torch::Dtype kept, const fs::path& model) {
  const std::string dtype = dtype_label(kept);
  if (stored == dtype) return;
  if (stored == "bf16" && kept == torch::kFloat16) {
    log::warn(
        "{}: stored as bf16 and kept as fp16, which reaches from 6e-8 to 65504 only: smaller "
        "weights become 0, and quality is lost; bf16 or fp32 keeps them",
        model.string());
  } else {
    log::info("weights {}: stored as {}, kept as {}", model.string(), stored, dtype);
  }
}

std::vector<fs::path> weight_files(const fs::path& model) {
  if (is_gguf(model)) return {model};
  std::vector<fs::path> files;
  const io::SafetensorsSet set(model);
  for (const io::SafetensorsFile& file : set.files()) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_packed(const WeightSlot& slot, const LoadOptions& options) {
  return slot.linear != nullptr && options.quantization.format != quant::Format::kNone &&
         !matches_any(options.quantization_skip, slot.linear->name);
}

void check_skipped(const std::vector<WeightSlot>& slots, const LoadOptions& options) {
  std::vector<std::string> names;
  for (const WeightSlot& slot : slots)
    if (slot.linear != nullptr) names.push_back(slot.linear->name);
  check_patterns("model.quantization_skip", options.quantization_skip, names);
}

/// A matrix that the files hold packed stays so. Another is packed from the numbers that are
/// stored, not from what they are in another dtype.
void load_weight(const WeightReader& reader, const WeightSlot& slot, const LoadOptions& options) {
  if (reader.is_packed(slot)) {
    HONE_CHECK(ConfigError, options.quantization.format == quant::Format::kNone,
               "model.quantization: {} is packed already, in the model's own files; leave it out",
               slot.linear->name);
    slot.linear->packed = std::make_shared<kernels::PackedMatrix>(
        kernels::to_device(reader.read_packed(slot), options.device));
    return;
  }
  if (is_packed(slot, options))
    slot.linear->packed = std::make_shared<kernels::PackedMatrix>(kernels::to_device(
        quant::quantize(reader.read(slot, torch::kFloat32), options.quantization), options.device));
  else
    *slot.tensor = reader.read(slot, options.weight_dtype).to(options.device);
}

}  // namespace

bool is_gguf(const fs::path& model) { return model.extension() == ".gguf"; }

Spec load_spec(const fs::path& model, const RopeScalingOptions& rope_scaling) {
  check_model_exists(model);
  Spec spec = is_gguf(model) ? spec_from_gguf(io::GgufFile(model))
                             : spec_from_config(model / "config.json");
  override_rope(rope_scaling, spec);
  return spec;
}

Decoder load_decoder(const fs::path& model, const LoadOptions& options) {
  check_model_exists(model);
  const torch::NoGradGuard no_grad;
  Decoder decoder;
  decoder.compute_dtype = options.compute_dtype;
  const WeightReader reader(model);
  decoder.spec =
      reader.gguf() ? spec_from_gguf(*reader.gguf()) : spec_from_config(model / "config.json");
  override_rope(options.rope_scaling, decoder.spec);
  const std::vector<WeightSlot> slots = weight_slots(decoder);
  reader.check(slots, decoder.spec);
  tell_dtype(reader.stored_type(slots.front()), options.weight_dtype, model);
  check_skipped(slots, options);
  for (const WeightSlot& slot : slots) load_weight(reader, slot, options);
  tie_head(decoder);
  resize_vocabulary(decoder, options.vocab_size);
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
