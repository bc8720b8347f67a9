#include "engine/load_options.h"

#include <fmt/format.h>

#include <map>

#include "kernels/packed/packed.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

struct Kept {
  std::int64_t layers = 0;
  std::int64_t bytes = 0;
};

std::string in_megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MB", double(bytes) / 1e6);
}

}  // namespace

model::LoadOptions load_options(const ModelOptions& options, const Placement& placement) {
  return {.weight_dtype = placement.weight_dtype,
          .compute_dtype = placement.compute_dtype,
          .device = placement.device,
          .rope_scaling = options.rope_scaling,
          .quantization = {.format = quant::parse_format(options.quantization),
                           .blocksize = options.quantization_block_size,
                           .double_quantization = options.double_quantization},
          .quantization_skip = options.quantization_skip};
}

std::string kept_as(model::Decoder& decoder) {
  std::map<std::string, Kept> layers;
  std::map<std::string, std::int64_t> rest;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    const bool packed = slot.linear != nullptr && slot.linear->packed != nullptr;
    const std::string form = packed ? quant::describe(quant::recipe_of(*slot.linear->packed))
                                    : dtype_label(slot.tensor->scalar_type());
    const std::int64_t bytes = packed ? kernels::size_bytes(*slot.linear->packed)
                                      : static_cast<std::int64_t>(slot.tensor->nbytes());
    if (slot.linear == nullptr) {
      rest[form] += bytes;
      continue;
    }
    layers[form].layers += 1;
    layers[form].bytes += bytes;
  }
  std::string text;
  for (const auto& [form, kept] : layers)
    text += fmt::format("{} layers {}, {}; ", kept.layers, form, in_megabytes(kept.bytes));
  for (const auto& [form, bytes] : rest)
    text += fmt::format("all else {}, {}", form, in_megabytes(bytes));
  return text;
}

}  // namespace hone::engine
