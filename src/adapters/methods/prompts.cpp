// Virtual tokens as rows of embeddings: prompt tuning and p-tuning.

#include "adapters/methods/keys.h"
#include "adapters/methods/prompt_encoder.h"

namespace hone::adapters {
namespace {

constexpr const char* kEmbeddings = "prompt_embeddings";

std::vector<TensorSpec> prompt_tensors(const model::Decoder& decoder, const Settings& settings) {
  return {{kEmbeddings,
           {settings.get<std::int64_t>("num_virtual_tokens"), decoder.spec.hidden_size},
           normal(1)}};
}

std::shared_ptr<const model::VirtualTokens> virtual_rows(std::int64_t count,
                                                         std::function<Tensor()> rows) {
  auto tokens = std::make_shared<model::VirtualTokens>();
  tokens->count = count;
  tokens->embeddings = std::move(rows);
  return tokens;
}

std::shared_ptr<const model::VirtualTokens> prompt_tokens(const model::Decoder&, const Settings&,
                                                          const Tensors& tensors, const Dropping&) {
  const Tensor rows = tensors.at(kEmbeddings);
  return virtual_rows(rows.size(0), [rows] { return rows; });
}

/// A folder holds what the encoder made: it is gone on from without one.
std::shared_ptr<const model::VirtualTokens> encoded_tokens(const model::Decoder& decoder,
                                                           const Settings& settings,
                                                           const Tensors& tensors,
                                                           const Dropping& dropping) {
  if (tensors.count(kEmbeddings) > 0) return prompt_tokens(decoder, settings, tensors, dropping);
  return virtual_rows(tensors.at("embedding.weight").size(0), [tensors, settings, dropping] {
    return encode_prompt(settings, tensors, dropping);
  });
}

void describe_rows(const model::Decoder& decoder, Settings& settings) {
  settings.set("token_dim", decoder.spec.hidden_size);
  settings.set("num_layers", decoder.spec.num_hidden_layers);
  settings.set("num_attention_heads", decoder.spec.num_attention_heads);
}

Tensors encoded(const Settings& settings, const Tensors& tensors) {
  if (tensors.count(kEmbeddings) > 0) return tensors;
  const torch::NoGradGuard no_grad;
  return {{kEmbeddings, encode_prompt(settings, tensors, {})}};
}

}  // namespace

/// @source arXiv:2104.08691
Method prompt_tuning_method() {
  Method method;
  method.name = "prompt_tuning";
  method.peft_type = "PROMPT_TUNING";
  method.help = "embeddings of virtual tokens (arXiv:2104.08691).";
  method.keys =
      virtual_keys() + std::vector<ConfigKey>{free_key("prompt_tuning_init", "RANDOM"),
                                              free_key("prompt_tuning_init_text", nullptr),
                                              free_key("tokenizer_name_or_path", nullptr),
                                              free_key("tokenizer_kwargs", nullptr)};
  method.virtual_tensors = prompt_tensors;
  method.describe = describe_rows;
  method.virtual_tokens = prompt_tokens;
  return method;
}

/// @source arXiv:2103.10385, with PEFT's networks
Method p_tuning_method() {
  Method method;
  method.name = "p_tuning";
  method.peft_type = "P_TUNING";
  method.help = "the same, made by a small network (arXiv:2103.10385).";
  method.keys =
      virtual_keys() + std::vector<ConfigKey>{option("encoder_hidden_size", nullptr),
                                              option("encoder_reparameterization_type", "MLP"),
                                              option("encoder_num_layers", 2),
                                              option("encoder_dropout", 0.0)};
  method.virtual_tensors = prompt_encoder_tensors;
  method.describe = describe_rows;
  method.virtual_tokens = encoded_tokens;
  method.exported = encoded;
  return method;
}

}  // namespace hone::adapters
