#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/dataset.h"

namespace hone::datasets {

/// Rows end to end, each of one document or several, without padding. N tokens, D documents, R
/// rows.
struct Batch {
  std::vector<std::int64_t> ids;         ///< [N]
  std::vector<std::int64_t> positions;   ///< [N] from 0 in each document
  std::vector<std::int64_t> targets;     ///< [N] the next token of the same document; 0 at its end
  std::vector<float> weights;            ///< [N] the target's weight; 0 at a document's end
  std::vector<std::int64_t> cu_seqlens;  ///< [D+1] borders of the documents, from 0 to N
  std::vector<std::int64_t> cu_rows;     ///< [R+1] the documents of each row, from 0 to D
  std::vector<std::int64_t> places;      ///< [R] of the rows in the data set
  std::vector<std::int64_t> prompts;     ///< [R] tokens that a row's documents share: shared_prompt
  std::vector<float> values;             ///< Example::values of all rows
  std::vector<std::int64_t> cu_values;   ///< [R+1] those of each row

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t documents() const { return static_cast<std::int64_t>(cu_seqlens.size()) - 1; }
  std::int64_t rows() const { return static_cast<std::int64_t>(places.size()); }
  std::int64_t longest_document() const;
  /// Sum of the weights: what the batch adds to the divisor of its step's loss.
  double trained_weight() const;
  /// Tokens that count in the loss at all.
  std::int64_t trained_tokens() const;

  bool operator==(const Batch&) const = default;
};

/// @param rows places in `dataset`, in the order that the batch shall have
Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> rows);

/// The batch with one document of each row alone, from 0.
Batch documents_of(const Batch& batch, std::int64_t document);

}  // namespace hone::datasets
