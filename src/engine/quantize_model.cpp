#include "engine/quantize_model.h"

#include <torch/types.h>

#include "base/error.h"
#include "kernels/packed/packed.h"
#include "model/name_patterns.h"
#include "quant/quantize.h"

namespace hone::engine {

void check_packing(model::Decoder& decoder, const Packing& packing) {
  std::vector<std::string> names;
  model::for_each_linear(decoder,
                         [&](const model::Linear& linear) { names.push_back(linear.name); });
  model::check_patterns("quantization_skip", packing.skip, names);
  model::for_each_linear(decoder, [&](const model::Linear& linear) {
    if (model::matches_any(packing.skip, linear.name)) return;
    HONE_CHECK(ConfigError, linear.packed == nullptr,
               "{}: is packed already; quantise the model as it was before", linear.name);
    quant::check_fits(packing.recipe, linear.name, linear.in_features());
  });
}

PackedLayer put_packed(model::Linear& linear, const kernels::PackedMatrix& packed,
                       double outlier_sigma) {
  PackedLayer layer{
      .name = linear.name,
      .bytes_before = static_cast<std::int64_t>(linear.weight.nbytes()),
      .bytes_after = kernels::size_bytes(packed),
      .error = quant::error_of(linear.weight.to(torch::kCPU),
                               kernels::dequantize(packed, torch::kFloat32), outlier_sigma)};
  linear.packed =
      std::make_shared<kernels::PackedMatrix>(kernels::to_device(packed, linear.weight.device()));
  linear.weight.reset();
  return layer;
}

std::vector<PackedLayer> quantize_layers(model::Decoder& decoder, const Packing& packing) {
  const torch::NoGradGuard no_grad;
  check_packing(decoder, packing);
  std::vector<PackedLayer> layers;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (!model::matches_any(packing.skip, linear.name))
      layers.push_back(put_packed(linear,
                                  quant::quantize(linear.weight.to(torch::kCPU), packing.recipe),
                                  packing.outlier_sigma));
  });
  return layers;
}

}  // namespace hone::engine
