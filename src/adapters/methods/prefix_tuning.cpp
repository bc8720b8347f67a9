#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

constexpr const char* kEmbeddings = "prompt_embeddings";

std::vector<TensorSpec> prefix_tensors(const model::Decoder& decoder, const Settings& settings) {
  const model::Spec& spec = decoder.spec;
  return {{kEmbeddings,
           {settings.get<std::int64_t>("num_virtual_tokens"),
            spec.num_hidden_layers * 2 * spec.num_key_value_heads * spec.head_dim},
           normal(1)}};
}

/// A row holds, layer by layer, the keys of all heads and then the values.
std::shared_ptr<const model::VirtualTokens> prefix_tokens(const model::Decoder& decoder,
                                                          const Settings&, const Tensors& tensors) {
  const Tensor rows = tensors.at(kEmbeddings);
  const std::int64_t heads = decoder.spec.num_key_value_heads, dim = decoder.spec.head_dim;
  auto tokens = std::make_shared<model::VirtualTokens>();
  tokens->count = rows.size(0);
  tokens->keys_and_values = [rows, heads, dim](std::size_t layer) {
    const Tensor both = rows.view({rows.size(0), -1, heads, dim});
    const auto first = 2 * static_cast<std::int64_t>(layer);
    return model::VirtualTokens::KeysAndValues{both.select(1, first), both.select(1, first + 1)};
  };
  return tokens;
}

/// In PEFT's words a prefix's heads are those of keys and values.
void describe_prefix(const model::Decoder& decoder, Settings& settings) {
  const model::Spec& spec = decoder.spec;
  settings.set("token_dim", spec.num_key_value_heads * spec.head_dim);
  settings.set("num_layers", spec.num_hidden_layers);
  settings.set("num_attention_heads", spec.num_key_value_heads);
}

}  // namespace

/// @source arXiv:2101.00190, without the network that PEFT calls prefix_projection
Method prefix_tuning_method() {
  Method method;
  method.name = "prefix_tuning";
  method.peft_type = "PREFIX_TUNING";
  method.help = "keys and values of virtual tokens in every layer (arXiv:2101.00190).";
  method.keys = virtual_keys() + std::vector<ConfigKey>{free_key("encoder_hidden_size", nullptr),
                                                        free_key("prefix_projection", false),
                                                        free_key("init_weights", nullptr)};
  method.virtual_tensors = prefix_tensors;
  method.describe = describe_prefix;
  method.virtual_tokens = prefix_tokens;
  return method;
}

}  // namespace hone::adapters
