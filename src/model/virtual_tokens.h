#pragma once

#include "model/decoder.h"

namespace hone::model {

/// A stream in which documents have the model's virtual tokens before their own.
struct WithVirtual {
  Tensor x_NH;         ///< embeddings, in the compute dtype
  Tensor positions_N;  ///< i64
  std::vector<std::int64_t> cu_seqlens;
  Tensor own_N;  ///< i64, where the documents' own tokens are; undefined: all rows are own

  /// The rows of the documents' own tokens.
  Tensor own_rows(const Tensor& x) const { return own_N.defined() ? x.index_select(0, own_N) : x; }
};

/// Embeds a stream. Virtual tokens that have embeddings become rows before each document with
/// `begins`; those that are keys and values only move the positions.
WithVirtual with_virtual_tokens(const Decoder& decoder, const TokenStream& tokens,
                                const std::vector<bool>& begins);

/// hidden_states() of a decoder that has virtual tokens: the rows of the documents' own tokens.
Tensor hidden_states_after_virtual(const Decoder& decoder, const TokenStream& tokens,
                                   ForwardTrace* trace);

}  // namespace hone::model
