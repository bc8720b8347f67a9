#include "model/virtual_tokens.h"

#include "model/document_lengths.h"

namespace hone::model {
namespace {

/// Where each row of a longer stream comes from: `count` rows of `virtual` at the front of the
/// source are repeated before each document that begins, the documents' rows follow them there.
struct Interleaving {
  std::vector<std::int64_t> source;  ///< row of [virtual; own]
  std::vector<std::int64_t> own;     ///< rows of the longer stream that are a document's own
  std::vector<std::int64_t> cu_seqlens{0};
};

Interleaving interleave(const std::vector<std::int64_t>& cu_seqlens, std::int64_t count,
                        const std::vector<bool>& begins) {
  Interleaving result;
  for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d) {
    if (begins[d])
      for (std::int64_t i = 0; i < count; ++i) result.source.push_back(i);
    for (std::int64_t i = cu_seqlens[d]; i < cu_seqlens[d + 1]; ++i) {
      result.own.push_back(std::ssize(result.source));
      result.source.push_back(count + i);
    }
    result.cu_seqlens.push_back(std::ssize(result.source));
  }
  return result;
}

/// Attention that sees keys and values before those of each document.
Tensor attend_after(const Tensor& q, const Tensor& k, const Tensor& v,
                    const VirtualTokens::KeysAndValues& before, const Interleaving& interleaving,
                    const std::vector<std::int64_t>& prefix_of,
                    const kernels::AttentionOptions& options) {
  const Tensor source = torch::tensor(interleaving.source, torch::kInt64).to(q.device());
  const Tensor own = torch::tensor(interleaving.own, torch::kInt64).to(q.device());
  const auto extended = [&](const Tensor& first, const Tensor& rest) {
    return torch::cat({first.to(rest.scalar_type()), rest}).index_select(0, source);
  };
  const Tensor no_queries = torch::zeros({before.k.size(0), q.size(1), q.size(2)}, q.options());
  return kernels::attention(extended(no_queries, q), extended(before.k, k), extended(before.v, v),
                            interleaving.cu_seqlens, options, prefix_of)
      .index_select(0, own);
}

}  // namespace

WithVirtual with_virtual_tokens(const Decoder& decoder, const TokenStream& tokens,
                                const std::vector<bool>& begins) {
  const Tensor own = embed(decoder, tokens);
  if (!decoder.virtual_tokens) return {own, tokens.positions_N, tokens.cu_seqlens, {}};
  const VirtualTokens& virtual_tokens = *decoder.virtual_tokens;
  const std::int64_t count = virtual_tokens.count;
  const Tensor moved = tokens.positions_N + count;
  if (!virtual_tokens.embeddings) return {own, moved, tokens.cu_seqlens, {}};
  const Interleaving interleaving = interleave(tokens.cu_seqlens, count, begins);
  const Tensor source = torch::tensor(interleaving.source, torch::kInt64).to(own.device());
  const Tensor first = virtual_tokens.embeddings().to(own.scalar_type());
  return {torch::cat({first, own}).index_select(0, source),
          torch::cat({torch::arange(count, moved.options()), moved}).index_select(0, source),
          interleaving.cu_seqlens, torch::tensor(interleaving.own, torch::kInt64).to(own.device())};
}

Tensor hidden_states_after_virtual(const Decoder& decoder, const TokenStream& tokens,
                                   ForwardTrace* trace) {
  const VirtualTokens& virtual_tokens = *decoder.virtual_tokens;
  std::vector<bool> begins(tokens.cu_seqlens.size() - 1, true);
  for (std::size_t d = 0; d < tokens.prefix_of.size(); ++d) begins[d] = tokens.prefix_of[d] == -1;
  const WithVirtual stream = with_virtual_tokens(decoder, tokens, begins);
  const Interleaving interleaving = interleave(tokens.cu_seqlens, virtual_tokens.count, begins);
  const auto attend_of = [&, shared = decoder.virtual_tokens](std::size_t layer) -> Attend {
    if (!virtual_tokens.keys_and_values)
      return [borders = stream.cu_seqlens, prefix_of = tokens.prefix_of](
                 const Tensor& q, const Tensor& k, const Tensor& v,
                 const kernels::AttentionOptions& options) {
        return kernels::attention(q, k, v, borders, options, prefix_of);
      };
    return [shared, layer, interleaving, prefix_of = tokens.prefix_of](
               const Tensor& q, const Tensor& k, const Tensor& v,
               const kernels::AttentionOptions& options) {
      return attend_after(q, k, v, shared->keys_and_values(layer), interleaving, prefix_of,
                          options);
    };
  };
  const Tensor x = run_layers(
      decoder, stream.x_NH,
      rotary_tables(decoder.spec, stream.positions_N, stream.cu_seqlens,
                    document_lengths(decoder.spec, interleaving.cu_seqlens, tokens.prefix_of)),
      attend_of, trace);
  return final_norm(decoder, stream.own_rows(x));
}

}  // namespace hone::model
