#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/options.h"

namespace hone::datasets {

/// What the mask contract looked at. Trained: of full weight, so prompt_loss_weight hides nothing.
struct ContractReport {
  RowTotals totals;
  /// Each with a row, the reason and the remedy; none: it holds.
  std::vector<std::string> problems;

  double trained_share() const;
  double untrained_row_share() const;
  double straddling_row_share() const;
};

/// Finds what breaks the contract, without a word to anyone, from the data's totals alone. Where
/// no stop token is known (info().stop_ids), none is looked for. Rows that came as tokens may do
/// without one, but where they have some behind the response, one is trained.
ContractReport examine_masks(const Dataset& dataset, const DataOptions& options);

/// Holds the data to the mask contract (DESIGN.md). Where options.mask_contract is false each
/// problem is a warning.
/// @throws DataError with all problems
ContractReport check_contract(const Dataset& dataset, const DataOptions& options);

}  // namespace hone::datasets
