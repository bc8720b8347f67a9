#include "model/kv_cache.h"

#include <ATen/ops/scaled_dot_product_attention.h>

#include <limits>
#include <set>

#include "base/error.h"
#include "model/virtual_tokens.h"

namespace hone::model {
namespace {

/// Attention of some new tokens of one sequence over `past` older ones and themselves.
/// @param q [heads, new, D]. @param k,v [heads, past + new, D]
/// @return  [heads, new, D]
Tensor attend_one(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t past,
                  const kernels::AttentionOptions& options) {
  const std::int64_t count = q.size(1), total = k.size(1);
  // A new token sees all that came before it, as far as the window reaches.
  std::optional<Tensor> mask;
  const bool is_cut = options.window > 0 && total > options.window;
  if ((past > 0 && count > 1) || is_cut) {
    Tensor seen = torch::ones({count, total}, torch::kBool).tril(past);
    if (is_cut) seen = seen.triu(past - options.window + 1);
    mask = seen.to(q.device());
  }
  const bool is_causal = !mask && count > 1;
  if (options.softcap == 0)
    return at::scaled_dot_product_attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), mask,
                                            0.0, is_causal, options.scale)
        .squeeze(0);
  if (is_causal) mask = torch::ones({count, total}, torch::kBool).tril().to(q.device());
  Tensor scores = at::matmul(q, k.transpose(1, 2)).to(torch::kFloat32) * options.scale;
  scores = (scores / options.softcap).tanh() * options.softcap;
  if (mask)
    scores = scores.masked_fill(mask->logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, 2).to(v.scalar_type()), v);
}

}  // namespace

KvCache::KvCache(const Spec& spec, std::size_t sequences)
    : entries_(static_cast<std::size_t>(spec.num_hidden_layers), std::vector<Entry>(sequences)),
      lengths_(sequences, 0) {}

void KvCache::truncate(std::size_t sequence, std::int64_t length) {
  HONE_ASSERT(length >= 0 && length <= this->length(sequence), "{} of {}", length,
              this->length(sequence));
  // Without a token of its own a sequence has not begun: the virtual ones are put before it again.
  lengths_[sequence] = length == 0 ? 0 : length + virtual_;
}

void KvCache::select(const std::vector<std::size_t>& kept) {
  for (auto& layer : entries_) {
    std::vector<Entry> chosen;
    std::set<std::size_t> taken;
    for (const std::size_t i : kept) {
      const bool is_copy = !taken.insert(i).second;  // tokens are appended to each on its own
      chosen.push_back(is_copy ? Entry{layer[i].keys.clone(), layer[i].values.clone()} : layer[i]);
    }
    layer = std::move(chosen);
  }
  std::vector<std::int64_t> lengths;
  for (const std::size_t i : kept) lengths.push_back(lengths_[i]);
  lengths_ = std::move(lengths);
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
                       const std::vector<std::int64_t>& cu_seqlens,
                       const kernels::AttentionOptions& options) {
  const Tensor out = torch::empty_like(q);
  const std::int64_t group = q.size(1) / k.size(1);
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const std::int64_t begin = cu_seqlens[s], count = cu_seqlens[s + 1] - begin;
    const std::int64_t past = lengths_[s], total = past + count;
    Entry& entry = entries_[layer][s];
    append(entry, k.narrow(0, begin, count), v.narrow(0, begin, count), past);
    // The first of the new tokens sees no further back than this.
    const std::int64_t first =
        options.window > 0 ? std::max<std::int64_t>(0, past + 1 - options.window) : 0;
    const auto seen = [&](const Tensor& held) {
      return held.narrow(1, first, total - first).repeat_interleave(group, 0);
    };
    const Tensor attended = attend_one(q.narrow(0, begin, count).transpose(0, 1), seen(entry.keys),
                                       seen(entry.values), past - first, options);
    out.narrow(0, begin, count).copy_(attended.transpose(0, 1));
  }
  return out;
}

/// Puts what attention sees of the virtual tokens before every sequence that begins.
void KvCache::begin_with(const Decoder& decoder) {
  const VirtualTokens& tokens = *decoder.virtual_tokens;
  virtual_ = tokens.count;
  if (!tokens.keys_and_values) return;
  for (std::size_t layer = 0; layer < entries_.size(); ++layer) {
    const auto [k, v] = tokens.keys_and_values(layer);
    for (std::size_t s = 0; s < lengths_.size(); ++s)
      if (lengths_[s] == 0)
        append(entries_[layer][s], k.to(decoder.compute_dtype), v.to(decoder.compute_dtype), 0);
  }
  for (std::int64_t& length : lengths_) length = std::max(length, virtual_);
}

Tensor extend(const Decoder& decoder, const TokenStream& tokens, KvCache& cache) {
  HONE_ASSERT(tokens.cu_seqlens.size() == cache.sequences() + 1 && tokens.prefix_of.empty());
  std::vector<bool> begins;
  for (const std::int64_t length : cache.lengths_) begins.push_back(length == 0);
  if (decoder.virtual_tokens) cache.begin_with(decoder);
  const WithVirtual stream = with_virtual_tokens(decoder, tokens, begins);

  std::vector<std::int64_t> lengths;
  for (std::size_t s = 0; s < cache.sequences(); ++s)
    lengths.push_back(cache.lengths_[s] + stream.cu_seqlens[s + 1] - stream.cu_seqlens[s]);
  const std::vector<RotaryTable> ropes =
      rotary_tables(decoder.spec, stream.positions_N, stream.cu_seqlens, lengths);
  Tensor x = stream.x_NH;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    const Attend attend = [&](const Tensor& q, const Tensor& k, const Tensor& v,
                              const kernels::AttentionOptions& options) {
      return cache.attend(i, q, k, v, stream.cu_seqlens, options);
    };
    x = resident_layer(
        decoder, i, [&](const Tensor& in) { return layer_forward(decoder, i, in, ropes, attend); },
        x);
  }
  cache.lengths_ = std::move(lengths);
  return final_norm(decoder, stream.own_rows(x));
}

}  // namespace hone::model
