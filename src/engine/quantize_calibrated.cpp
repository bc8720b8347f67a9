#include <torch/types.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "engine/quantize_model.h"
#include "kernels/attention/attention.h"
#include "kernels/packed/packed.h"
#include "model/document_lengths.h"
#include "model/name_patterns.h"

namespace hone::engine {
namespace {

using torch::Tensor;

/// What a layer's inputs were, over all batches.
struct Inputs {
  Tensor gram_II;  // f32, XᵀX
  std::int64_t tokens = 0, outliers = 0, numbers = 0;
  double largest = 0;
};

/// Takes note of what a layer is given, and changes nothing.
class Watched final : public model::LinearAdapter {
 public:
  Watched(std::shared_ptr<Inputs> inputs, double outlier_sigma)
      : inputs_(std::move(inputs)), outlier_sigma_(outlier_sigma) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    if (x.size(0) > 0) note(x.to(torch::kFloat32));
    return base.base_forward(x);
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return model::dense_weight(base, torch::kFloat32);
  }

 private:
  void note(const Tensor& x_NI) const {
    Inputs& inputs = *inputs_;
    const Tensor gram = x_NI.t().mm(x_NI);
    inputs.gram_II = inputs.gram_II.defined() ? inputs.gram_II.add_(gram) : gram;
    const Tensor centred = (x_NI - x_NI.mean()).abs();
    const double deviation = centred.square().mean().sqrt().item<double>();
    inputs.outliers += centred.gt(outlier_sigma_ * deviation).sum().item<std::int64_t>();
    inputs.largest = std::max(inputs.largest, x_NI.abs().max().item<double>());
    inputs.tokens += x_NI.size(0);
    inputs.numbers += x_NI.numel();
  }

  std::shared_ptr<Inputs> inputs_;
  double outlier_sigma_;
};

/// A batch on its way through the layers.
struct Batch {
  const model::TokenStream* tokens;
  std::vector<model::RotaryTable> ropes;
  Tensor hidden_NH;
};

Batch start(const model::Decoder& decoder, const model::TokenStream& tokens) {
  const auto lengths = model::document_lengths(decoder.spec, tokens.cu_seqlens, tokens.prefix_of);
  return {&tokens,
          model::rotary_tables(decoder.spec, tokens.positions_N, tokens.cu_seqlens, lengths),
          model::embed(decoder, tokens)};
}

Tensor through_layer(const model::Decoder& decoder, std::size_t layer, const Batch& batch) {
  const auto attend = [&](const Tensor& q, const Tensor& k, const Tensor& v,
                          const kernels::AttentionOptions& options) {
    return kernels::attention(q, k, v, batch.tokens->cu_seqlens, options, batch.tokens->prefix_of);
  };
  return model::layer_forward(decoder, layer, batch.hidden_NH, batch.ropes, attend);
}

struct WatchedLinear {
  model::Linear* linear;
  std::shared_ptr<Inputs> inputs;
};

/// The matrices of one layer that are to be packed, their inputs watched from now on.
std::vector<WatchedLinear> watch(model::Decoder& decoder, std::size_t layer,
                                 const Packing& packing) {
  const std::string prefix = fmt::format("model.layers.{}.", layer);
  std::vector<WatchedLinear> watched;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (!linear.name.starts_with(prefix) || model::matches_any(packing.skip, linear.name)) return;
    HONE_ASSERT(linear.adapter == nullptr, "{}", linear.name);
    watched.push_back({&linear, std::make_shared<Inputs>()});
    linear.adapter = std::make_shared<Watched>(watched.back().inputs, packing.outlier_sigma);
  });
  return watched;
}

PackedLayer pack(const WatchedLinear& watched, const Packing& packing, quant::Rounding rounding) {
  model::Linear& linear = *watched.linear;
  const Inputs& inputs = *watched.inputs;
  linear.adapter.reset();
  const std::int64_t in = linear.in_features();
  // An expert may have seen no token at all.
  const Tensor gram_II =
      inputs.tokens > 0 ? inputs.gram_II.to(torch::kCPU) : torch::zeros({in, in}, torch::kFloat32);
  const quant::Calibrated found =
      quant::calibrate(linear.weight.to(torch::kCPU), gram_II, packing.recipe, rounding);
  PackedLayer layer = put_packed(linear, found.matrix, packing.outlier_sigma);
  layer.calibration = LayerCalibration{
      .output_error = found.output_error,
      .nearest_error = found.nearest_error,
      .clip = found.clip,
      .tokens = inputs.tokens,
      .largest_input = inputs.largest,
      .outlier_share = inputs.numbers == 0 ? 0 : double(inputs.outliers) / double(inputs.numbers)};
  return layer;
}

}  // namespace

std::vector<PackedLayer> quantize_calibrated(model::Decoder& decoder, const Packing& packing,
                                             const std::vector<model::TokenStream>& batches,
                                             quant::Rounding rounding) {
  const torch::NoGradGuard no_grad;
  check_packing(decoder, packing);
  std::vector<Batch> under_way;
  for (const model::TokenStream& tokens : batches) under_way.push_back(start(decoder, tokens));
  std::vector<PackedLayer> layers;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    log::set_status_line(fmt::format("layer {} of {}", i + 1, decoder.layers.size()));
    const std::vector<WatchedLinear> watched = watch(decoder, i, packing);
    for (const Batch& batch : under_way) through_layer(decoder, i, batch);
    for (const WatchedLinear& one : watched) layers.push_back(pack(one, packing, rounding));
    for (Batch& batch : under_way) batch.hidden_NH = through_layer(decoder, i, batch);
  }
  log::set_status_line("");
  return layers;
}

}  // namespace hone::engine
