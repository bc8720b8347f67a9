#include "engine/work.h"

#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <map>

namespace hone::engine {
namespace {

/// Pairs of tokens that causal attention multiplies, in a document of `length`.
double pairs(std::int64_t length, std::int64_t window) {
  const auto n = double(length), w = double(window == 0 ? length : std::min(window, length));
  return w * (w + 1) / 2 + (n - w) * w;
}

/// What of a step a model meets, over all documents.
struct Met {
  double tokens = 0;
  double pairs = 0;  ///< of tokens, in the attention of all layers
};
Met met_by(const ModelWork& model, const StepWork& step) {
  Met met;
  for (const std::int64_t length : step.document_lengths) {
    met.tokens += double(length);
    for (const std::int64_t window : model.windows) met.pairs += pairs(length, window);
  }
  return met;
}

double seconds_of_product(const torch::Tensor& a, const torch::Tensor& b) {
  const auto begin = std::chrono::steady_clock::now();
  at::mm(a, b).sum().item<float>();  // waits for the device
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double measure_peak(torch::Device device, torch::Dtype dtype) {
  const torch::NoGradGuard no_grad;
  // LibTorch multiplies fp16 on most CPUs element by element.
  const std::int64_t on_cpu = dtype == torch::kFloat16 ? 256 : 768;
  const std::int64_t size = device.is_cuda() ? 8192 : on_cpu;
  const torch::Tensor a = at::ones({size, size}, torch::TensorOptions(device).dtype(dtype));
  double best = seconds_of_product(a, a);
  for (int i = 0; i < 4; ++i) best = std::min(best, seconds_of_product(a, a));
  return 2.0 * double(size) * double(size) * double(size) / best;
}

}  // namespace

ModelWork model_work(model::Decoder& decoder, std::int64_t trained_parameters) {
  const model::Spec& spec = decoder.spec;
  ModelWork work;
  const double share_of_experts =
      spec.moe.num_experts > 0 ? double(spec.moe.num_experts_per_tok) / double(spec.moe.num_experts)
                               : 1.0;
  bool trains_model = decoder.embed_tokens.requires_grad();
  model::for_each_linear(decoder, [&](const model::Linear& linear) {
    const bool is_expert = linear.name.find(".experts.") != std::string::npos;
    const double met = double(linear.out_features()) * double(linear.in_features()) *
                       (is_expert ? share_of_experts : 1.0);
    work.layer_weights += met;
    if (linear.packed == nullptr && linear.weight.requires_grad()) {
      work.trained_layer_weights += met;
      trains_model = true;
    }
  });
  const torch::Tensor& head = decoder.score.defined() ? decoder.score : decoder.lm_head;
  work.head_weights = double(head.numel());
  work.trains_head = head.requires_grad();
  if (!trains_model && !work.trains_head) work.adapter_weights = double(trained_parameters);
  for (const model::LayerKind& layer : spec.layers) work.windows.push_back(layer.window);
  work.attention_width = double(spec.num_attention_heads) * double(spec.head_dim);
  return work;
}

double step_flops(const ModelWork& model, const StepWork& step) {
  const Met met = met_by(model, step);
  const double layers = met.tokens * (4 * model.layer_weights + 2 * model.trained_layer_weights +
                                      6 * model.adapter_weights);
  const double head = double(step.head_rows) * model.head_weights * (model.trains_head ? 6.0 : 4.0);
  return layers + head + 12 * model.attention_width * met.pairs;
}

double forward_flops(const ModelWork& model, const StepWork& step) {
  const Met met = met_by(model, step);
  const double layers = met.tokens * 2 * (model.layer_weights + model.adapter_weights);
  const double head = 2 * double(step.head_rows) * model.head_weights;
  return layers + head + 4 * model.attention_width * met.pairs;
}

double matrix_peak_flops(torch::Device device, torch::Dtype dtype) {
  static std::map<std::pair<std::string, torch::Dtype>, double> known;
  const auto [entry, is_new] = known.try_emplace({device.str(), dtype}, 0.0);
  if (is_new) entry->second = measure_peak(device, dtype);
  return entry->second;
}

}  // namespace hone::engine
