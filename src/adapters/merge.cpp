#include "adapters/merge.h"

#include "base/error.h"

namespace hone::adapters {

void merge_linear(model::Linear& linear) {
  const Tensor weight = linear.adapter->merged_weight(linear);
  linear.bias = linear.adapter->merged_bias(linear);
  linear.weight = weight;
  linear.packed.reset();
  linear.adapter.reset();
}

/// The head and the embedding, which may be one matrix and then may part.
void merge_ends(model::Decoder& decoder) {
  const Tensor head =
      decoder.head_adapter ? decoder.head_adapter->merged_weight(decoder.head()) : decoder.lm_head;
  if (decoder.embedding_adapter)
    decoder.embed_tokens = decoder.embedding_adapter->merged_weight(decoder.embed_tokens);
  decoder.lm_head = head;
  decoder.head_adapter.reset();
  decoder.embedding_adapter.reset();
  model::Spec& spec = decoder.spec;
  if (spec.num_labels == 0 && spec.tie_word_embeddings)
    spec.tie_word_embeddings = decoder.lm_head.equal(decoder.embed_tokens);
}

void merge(Adapter& adapter, model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  HONE_CHECK(ConfigError, adapter.method->virtual_tokens == nullptr,
             "{}: {} puts tokens before every document; no weight of the base can hold them",
             adapter.settings.where(), adapter.method->name);
  attach(adapter, decoder);
  model::for_each_linear(decoder, [](model::Linear& linear) {
    if (linear.adapter) merge_linear(linear);
  });
  merge_ends(decoder);
}

}  // namespace hone::adapters
