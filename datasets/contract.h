#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/example.h"
#include "datasets/options.h"

namespace hone::datasets {

/// What the mask contract looked at. Trained: as Example::is_trained says.
struct ContractReport {
  std::int64_t rows = 0;
  std::int64_t tokens = 0;
  std::int64_t trained_tokens = 0;
  std::int64_t untrained_rows = 0;   ///< have no trained token
  std::int64_t straddling_rows = 0;  ///< have a token across the border of prompt and response
  std::int64_t trained_stops = 0;    ///< stop tokens that are trained
  std::int64_t dangling_stops = 0;   ///< stop tokens that end a trained stretch and are not trained
  std::vector<std::string>
      problems;  ///< each with a row, the reason and the remedy; none: it holds

  double trained_share() const;
  double untrained_row_share() const;
  double straddling_row_share() const;
};

/// Counts, and finds what breaks the contract, without a word to anyone.
/// @param stop_ids tokens that end a response; empty: not looked at. Rows that came as tokens may
///        do without a stop token, but where they have some behind the response, one is trained
ContractReport examine_masks(const Dataset& dataset, const DataOptions& options,
                             const std::vector<std::int32_t>& stop_ids);

/// Holds the data to the mask contract (DESIGN.md). Where options.mask_contract is false each
/// problem is a warning.
/// @throws DataError with all problems
ContractReport check_contract(const Dataset& dataset, const DataOptions& options,
                              const std::vector<std::int32_t>& stop_ids);

}  // namespace hone::datasets
