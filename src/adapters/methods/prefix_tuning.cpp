#include <ATen/ops/linear.h>

#include "adapters/methods/keys.h"
#include "adapters/parts.h"

// Axes: T virtual tokens, L layers, KV the key/value heads' numbers of a token, E the network's
// width.

namespace hone::adapters {
namespace {

using model::VirtualTokens;

constexpr const char* kEmbeddings = "prompt_embeddings";

std::int64_t token_dim(const model::Spec& spec) { return spec.num_key_value_heads * spec.head_dim; }

/// The prefix itself [T, L · 2 · KV]; or, to be projected to it, an embedding and a network of two
/// layers, under PEFT's names.
std::vector<TensorSpec> prefix_tensors(const model::Decoder& decoder, const Settings& settings) {
  const std::int64_t kv = token_dim(decoder.spec);
  const std::int64_t row = decoder.spec.num_hidden_layers * 2 * kv;
  const auto count = settings.get<std::int64_t>("num_virtual_tokens");
  if (!settings.get("prefix_projection", false)) return {{kEmbeddings, {count, row}, normal(1)}};
  const auto width = settings.get<std::int64_t>("encoder_hidden_size");
  return {{"embedding.weight", {count, kv}, normal(1)},
          {"transform.0.weight", {width, kv}, kaiming_uniform()},
          {"transform.0.bias", {width}, zeros()},
          {"transform.2.weight", {row, width}, kaiming_uniform()},
          {"transform.2.bias", {row}, zeros()}};
}

/// The network's inner layer. @return [T, E]
Tensor inner(const Tensors& t) {
  return at::linear(t.at("embedding.weight"), t.at("transform.0.weight"), t.at("transform.0.bias"))
      .tanh();
}

/// @param rows_TKV [T, 2 · KV], a layer's keys of all heads, then its values
VirtualTokens::KeysAndValues heads_of(const Tensor& rows_TKV, std::int64_t heads) {
  const Tensor both = rows_TKV.view({rows_TKV.size(0), 2, heads, -1});
  return {both.select(1, 0), both.select(1, 1)};
}

std::shared_ptr<const VirtualTokens> prefix_tokens(const model::Decoder& decoder, const Settings&,
                                                   const Tensors& tensors, const Dropping&) {
  const std::int64_t heads = decoder.spec.num_key_value_heads;
  const std::int64_t layers = decoder.spec.num_hidden_layers;
  auto tokens = std::make_shared<VirtualTokens>();
  if (const auto rows = tensors.find(kEmbeddings); rows != tensors.end()) {
    tokens->count = rows->second.size(0);
    tokens->keys_and_values = [all = rows->second, heads, layers](std::size_t layer) {
      return heads_of(
          all.view({all.size(0), layers, -1}).select(1, static_cast<std::int64_t>(layer)), heads);
    };
    return tokens;
  }
  tokens->count = tensors.at("embedding.weight").size(0);
  const auto by_layer = [layers](const Tensor& whole) {
    return whole.view({layers, whole.size(0) / layers, -1}).unbind(0);
  };
  const auto weight = std::make_shared<const Parts>(tensors.at("transform.2.weight"), by_layer);
  const auto bias = std::make_shared<const Parts>(tensors.at("transform.2.bias"), by_layer);
  // A layer projects its own rows: one that is computed again in the backward pass does so alone.
  tokens->keys_and_values = [tensors, weight, bias, heads](std::size_t layer) {
    const auto i = static_cast<std::int64_t>(layer);
    return heads_of(at::linear(inner(tensors), weight->at(i), bias->at(i).flatten()), heads);
  };
  return tokens;
}

/// A folder holds the prefix, never the network.
Tensors prefix_exported(const Settings&, const Tensors& tensors) {
  if (tensors.count(kEmbeddings) > 0) return tensors;
  const torch::NoGradGuard no_grad;
  return {{kEmbeddings, at::linear(inner(tensors), tensors.at("transform.2.weight"),
                                   tensors.at("transform.2.bias"))}};
}

/// In PEFT's words a prefix's heads are those of keys and values.
void describe_prefix(const model::Decoder& decoder, Settings& settings) {
  const model::Spec& spec = decoder.spec;
  settings.set("token_dim", token_dim(spec));
  settings.set("num_layers", spec.num_hidden_layers);
  settings.set("num_attention_heads", spec.num_key_value_heads);
}

}  // namespace

/// @source arXiv:2101.00190, as PEFT's PrefixEncoder
Method prefix_tuning_method() {
  Method method;
  method.name = "prefix_tuning";
  method.peft_type = "PREFIX_TUNING";
  method.help = "keys and values of virtual tokens in every layer (arXiv:2101.00190).";
  method.keys = virtual_keys() + std::vector<ConfigKey>{option("encoder_hidden_size", nullptr),
                                                        option("prefix_projection", false),
                                                        free_key("init_weights", nullptr)};
  method.virtual_tensors = prefix_tensors;
  method.describe = describe_prefix;
  method.virtual_tokens = prefix_tokens;
  method.exported = prefix_exported;
  return method;
}

}  // namespace hone::adapters
