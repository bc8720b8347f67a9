#include "adapters/methods/prompt_encoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/lstm.h>

#include <cmath>

// Axes: T virtual tokens, H hidden, E the encoder's width.

namespace hone::adapters {
namespace {

bool is_lstm(const Settings& settings) {
  const auto type = settings.get<std::string>("encoder_reparameterization_type", "MLP");
  HONE_CHECK(DataError, type == "MLP" || type == "LSTM",
             "{}: `encoder_reparameterization_type` is {}; expected MLP or LSTM", settings.where(),
             type);
  return type == "LSTM";
}

void add_linear(std::vector<TensorSpec>& specs, const std::string& name, std::int64_t out,
                std::int64_t in) {
  specs.push_back({name + ".weight", {out, in}, kaiming_uniform()});
  specs.push_back({name + ".bias", {out}, zeros()});
}

Tensor linear(const Tensors& t, const std::string& name, const Tensor& x) {
  return at::linear(x, t.at(name + ".weight"), t.at(name + ".bias"));
}

/// The names of one layer's tensors, in the order in which at::lstm takes them: both directions,
/// for each the weights of its input and of its state, and their biases.
std::vector<std::string> lstm_names(std::int64_t layer) {
  std::vector<std::string> names;
  for (const char* direction : {"", "_reverse"})
    for (const char* part : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"})
      names.push_back(fmt::format("lstm_head.{}_l{}{}", part, layer, direction));
  return names;
}

void add_lstm(std::vector<TensorSpec>& specs, const Settings& settings, std::int64_t hidden,
              std::int64_t width) {
  const Start start = uniform(1 / std::sqrt(double(width)));
  const auto layers = settings.get<std::int64_t>("encoder_num_layers", 2);
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::int64_t in = layer == 0 ? hidden : 2 * width;
    for (const std::string& name : lstm_names(layer)) {
      // Four gates: what comes in, is kept, is proposed, goes out.
      std::vector<std::int64_t> shape{4 * width};
      if (name.find("weight_ih") != std::string::npos) shape.push_back(in);
      if (name.find("weight_hh") != std::string::npos) shape.push_back(width);
      specs.push_back({name, std::move(shape), start});
    }
  }
}

/// @return [T, 2E], both directions
Tensor lstm(const Settings& settings, const Tensors& t, const Dropping& dropping) {
  Tensor x = t.at("embedding.weight");
  const auto layers = settings.get<std::int64_t>("encoder_num_layers", 2);
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    std::vector<Tensor> weights;
    for (const std::string& name : lstm_names(layer)) weights.push_back(t.at(name));
    if (layer > 0) {
      Dropping between = dropping;
      between.site += static_cast<std::uint32_t>(layer);
      x = between(x);
    }
    const Tensor zero = torch::zeros({2, 1, weights[1].size(1)}, x.options());
    // Each layer by itself: torch's dropout would draw from a generator that has a state.
    x = std::get<0>(at::lstm(x.unsqueeze(0), {zero, zero}, weights, /*has_biases=*/true,
                             /*num_layers=*/1, /*dropout=*/0.0,
                             /*train=*/at::GradMode::is_enabled(), /*bidirectional=*/true,
                             /*batch_first=*/true))
            .squeeze(0);
  }
  return x;
}

}  // namespace

std::vector<TensorSpec> prompt_encoder_tensors(const model::Decoder& decoder,
                                               const Settings& settings) {
  const std::int64_t hidden = decoder.spec.hidden_size;
  const auto width = settings.get<std::int64_t>("encoder_hidden_size");
  std::vector<TensorSpec> specs = {
      {"embedding.weight", {settings.get<std::int64_t>("num_virtual_tokens"), hidden}, normal(1)}};
  if (is_lstm(settings)) {
    add_lstm(specs, settings, hidden, width);
    add_linear(specs, "mlp_head.0", 2 * width, 2 * width);
    add_linear(specs, "mlp_head.2", hidden, 2 * width);
  } else {
    add_linear(specs, "mlp_head.0", width, hidden);
    add_linear(specs, "mlp_head.2", width, width);
    add_linear(specs, "mlp_head.4", hidden, width);
  }
  return specs;
}

Tensor encode_prompt(const Settings& settings, const Tensors& t, const Dropping& dropping) {
  if (is_lstm(settings))
    return linear(t, "mlp_head.2", linear(t, "mlp_head.0", lstm(settings, t, dropping)).relu());
  const Tensor first = linear(t, "mlp_head.0", t.at("embedding.weight")).relu();
  return linear(t, "mlp_head.4", linear(t, "mlp_head.2", first).relu());
}

}  // namespace hone::adapters
