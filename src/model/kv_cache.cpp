#include "model/kv_cache.h"

#include <ATen/ops/scaled_dot_product_attention.h>

#include <cmath>

#include "base/error.h"
#include "kernels/rms_norm/rms_norm.h"

namespace hone::model {

KvCache::KvCache(const Spec& spec, std::size_t sequences)
    : entries_(static_cast<std::size_t>(spec.num_hidden_layers), std::vector<Entry>(sequences)),
      lengths_(sequences, 0) {}

void KvCache::select(const std::vector<std::size_t>& kept) {
  const auto pick = [&kept](const auto& all) {
    std::decay_t<decltype(all)> chosen;
    for (const std::size_t i : kept) chosen.push_back(all[i]);
    return chosen;
  };
  for (auto& layer : entries_) layer = pick(layer);
  lengths_ = pick(lengths_);
}

void KvCache::append(Entry& entry, const Tensor& k, const Tensor& v, std::int64_t at) const {
  constexpr std::int64_t kSmallest = 64;
  const std::int64_t needed = at + k.size(0);
  const std::int64_t capacity = entry.keys.defined() ? entry.keys.size(1) : 0;
  if (needed > capacity) {
    const std::int64_t grown = std::max({needed, 2 * capacity, kSmallest});
    for (const auto& [held, like] : {std::pair{&entry.keys, &k}, std::pair{&entry.values, &v}}) {
      const Tensor larger = torch::empty({like->size(1), grown, like->size(2)}, like->options());
      if (at > 0) larger.narrow(1, 0, at).copy_(held->narrow(1, 0, at));
      *held = larger;
    }
  }
  entry.keys.narrow(1, at, k.size(0)).copy_(k.transpose(0, 1));
  entry.values.narrow(1, at, v.size(0)).copy_(v.transpose(0, 1));
}

Tensor KvCache::attend(std::size_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                       const std::vector<std::int64_t>& cu_seqlens, double scale) {
  const Tensor out = torch::empty_like(q);
  const std::int64_t group = q.size(1) / k.size(1);
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const std::int64_t begin = cu_seqlens[s], count = cu_seqlens[s + 1] - begin;
    const std::int64_t past = lengths_[s], total = past + count;
    Entry& entry = entries_[layer][s];
    append(entry, k.narrow(0, begin, count), v.narrow(0, begin, count), past);
    const Tensor keys = entry.keys.narrow(1, 0, total).repeat_interleave(group, 0).unsqueeze(0);
    const Tensor values = entry.values.narrow(1, 0, total).repeat_interleave(group, 0).unsqueeze(0);
    const Tensor queries = q.narrow(0, begin, count).transpose(0, 1).unsqueeze(0);
    // A new token sees all that came before its sequence's new tokens, and those up to itself.
    std::optional<Tensor> mask;
    if (past > 0 && count > 1)
      mask = torch::ones({count, total}, torch::kBool).tril(past).to(q.device());
    const Tensor attended = at::scaled_dot_product_attention(
        queries, keys, values, mask, 0.0, /*is_causal=*/past == 0 && count > 1, scale);
    out.narrow(0, begin, count).copy_(attended.squeeze(0).transpose(0, 1));
  }
  return out;
}

Tensor extend(const Decoder& decoder, const TokenStream& tokens, KvCache& cache) {
  HONE_ASSERT(tokens.cu_seqlens.size() == cache.sequences() + 1);
  const double scale = 1.0 / std::sqrt(double(decoder.spec.head_dim));
  const RotaryTable rotary = rotary_table(decoder.spec, tokens.positions_N);
  Tensor x = embed(decoder, tokens.ids_N);
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    x = layer_forward(decoder, decoder.layers[i], x, rotary,
                      [&](const Tensor& q, const Tensor& k, const Tensor& v) {
                        return cache.attend(i, q, k, v, tokens.cu_seqlens, scale);
                      });
  }
  for (std::size_t s = 0; s < cache.sequences(); ++s)
    cache.lengths_[s] += tokens.cu_seqlens[s + 1] - tokens.cu_seqlens[s];
  return kernels::rms_norm(x, decoder.norm.to(x.scalar_type()), decoder.spec.rms_norm_eps);
}

}  // namespace hone::model
