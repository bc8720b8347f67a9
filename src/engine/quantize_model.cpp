#include "engine/quantize_model.h"

#include <torch/types.h>

#include "kernels/packed/packed.h"
#include "model/name_patterns.h"
#include "quant/quantize.h"

namespace hone::engine {

std::vector<PackedLayer> quantize_layers(model::Decoder& decoder, const quant::Recipe& recipe,
                                         const std::vector<std::string>& skip) {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> names;
  model::for_each_linear(decoder,
                         [&](const model::Linear& linear) { names.push_back(linear.name); });
  model::check_patterns("quantization_skip", skip, names);
  std::vector<PackedLayer> layers;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (model::matches_any(skip, linear.name)) return;
    const torch::Tensor exact = linear.weight.to(torch::kCPU);
    const kernels::PackedMatrix packed = quant::quantize(exact, recipe);
    layers.push_back(
        {.name = linear.name,
         .bytes_before = static_cast<std::int64_t>(exact.nbytes()),
         .bytes_after = kernels::size_bytes(packed),
         .error = quant::error_of(exact, kernels::dequantize(packed, torch::kFloat32))});
    linear.packed =
        std::make_shared<kernels::PackedMatrix>(kernels::to_device(packed, linear.weight.device()));
    linear.weight.reset();
  });
  return layers;
}

}  // namespace hone::engine
