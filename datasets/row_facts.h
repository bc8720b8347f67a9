#pragma once

#include <cstdint>
#include <span>

#include "datasets/example.h"

namespace hone::datasets {

/// What is known of a row without its tokens: enough for messages and for the mask contract.
struct RowFacts {
  std::int64_t row = 0;   ///< line in its file, from 1
  double weight = 0;      ///< sum of the weights that have an effect
  std::int32_t file = 0;  ///< place in DatasetInfo::files
  std::int32_t length = 0;
  std::int32_t trained_tokens = 0;     ///< see Example::trained_tokens
  std::int32_t straddling_tokens = 0;  ///< lie across the border between prompt and response
  std::int32_t trained_stops =
      0;  ///< stop tokens that are trained, in the document with the fewest
  std::int32_t dangling_stops = 0;       ///< stop tokens behind a trained stretch, not trained
  std::int32_t prompt_differs = 0;       ///< 1: see Example::prompt_differs
  std::int32_t untrained_documents = 0;  ///< have no trained token

  bool operator==(const RowFacts&) const = default;
};

/// @param stop_ids tokens that end a response; empty: stops are not counted
RowFacts facts_of(const Example& example, std::span<const std::int32_t> stop_ids);

/// Sums over rows, and a row for each kind of trouble, by its place in the data; -1: none.
struct RowTotals {
  std::int64_t rows = 0;
  std::int64_t tokens = 0;
  std::int64_t trained_tokens = 0;
  std::int64_t untrained_rows = 0;   ///< have a document without a trained token
  std::int64_t straddling_rows = 0;  ///< have a token across the border of prompt and response
  std::int64_t prompt_differs = 0;   ///< rows whose prompt a server would write otherwise
  std::int64_t trained_stops = 0;
  std::int64_t dangling_stops = 0;
  double weight = 0;  ///< what the loss of one epoch is divided by

  std::int64_t first_untrained = -1;
  std::int64_t first_straddling = -1;
  std::int64_t first_dangling_stop = -1;
  std::int64_t least_trained = -1;  ///< the first row with the smallest share of trained tokens
  std::int64_t most_trained = -1;   ///< the first row with the largest one
  double least_share = 0, most_share = 0;

  /// Counts one more row, the next in order.
  void add(const RowFacts& facts);
  /// Takes in rows that come behind these.
  void append(const RowTotals& later);

  bool operator==(const RowTotals&) const = default;
};

}  // namespace hone::datasets
