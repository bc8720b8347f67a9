#include "model/outline.h"

#include <ATen/ops/empty.h>

#include <optional>

#include "base/error.h"
#include "io/json.h"
#include "model/name_patterns.h"
#include "model/resize.h"
#include "model/weight_reader.h"
#include "model/weights.h"
#include "quant/outline.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;

constexpr torch::DeviceType kMeta = torch::kMeta;

/// What the files hold packed; none where nothing is.
std::optional<WeightReader> reader_of_packed(const fs::path& model,
                                             const std::vector<WeightSlot>& slots,
                                             const Spec& spec) {
  if (is_gguf(model) || !io::read_json(model / "config.json").contains("quantization_config"))
    return std::nullopt;
  std::optional<WeightReader> reader(model);
  reader->check(slots, spec);
  return reader;
}

kernels::PackedMatrix without_numbers(const kernels::PackedMatrix& matrix) {
  kernels::PackedMatrix outline = kernels::to_device(matrix, kMeta);
  outline.map = matrix.map;  // tells formats apart
  return outline;
}

}  // namespace

Decoder outline_of(const fs::path& model, const LoadOptions& options) {
  Decoder decoder;
  decoder.spec = load_spec(model, options.rope_scaling);
  decoder.compute_dtype = options.compute_dtype;
  const std::vector<WeightSlot> slots = weight_slots(decoder);
  const auto reader = reader_of_packed(model, slots, decoder.spec);
  const auto packs = options.quantization.format != quant::Format::kNone;
  for (const WeightSlot& slot : slots) {
    const bool is_stored_packed = reader && reader->is_packed(slot);
    HONE_CHECK(ConfigError, !is_stored_packed || !packs,
               "model.quantization: {} is packed already, in the model's own files; leave it out",
               slot.linear->name);
    if (is_stored_packed) {
      slot.linear->packed =
          std::make_shared<kernels::PackedMatrix>(without_numbers(reader->read_packed(slot)));
    } else if (packs && slot.linear != nullptr &&
               !matches_any(options.quantization_skip, slot.linear->name)) {
      slot.linear->packed = std::make_shared<kernels::PackedMatrix>(
          quant::outline_of(slot.shape[0], slot.shape[1], options.quantization));
    } else {
      *slot.tensor = at::empty(slot.shape, at::TensorOptions(kMeta).dtype(options.weight_dtype));
    }
  }
  tie_head(decoder);
  resize_vocabulary(decoder, options.vocab_size);
  return decoder;
}

}  // namespace hone::model
