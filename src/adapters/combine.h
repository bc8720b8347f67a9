#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/adapter.h"

namespace hone::adapters {

/// How several LoRA adapters become one.
struct Combination {
  /// linear, cat, svd, ties, dare_linear, dare_ties, magnitude_prune; each but cat and linear also
  /// with `_svd` behind it, which combines whole updates instead of their factors.
  std::string type = "linear";
  std::vector<double> weights;                 ///< one for each adapter
  double density = 1;                          ///< share of the numbers that pruning keeps
  std::string majority_sign_method = "total";  ///< or frequency
  std::int64_t svd_rank = 0;                   ///< 0: the largest of the adapters'
  std::uint64_t seed = 0;                      ///< of dare's random pruning
};

/// One adapter of scaling 1 that does what the weighted adapters do together.
/// @throws ConfigError where an adapter is not plain LoRA, ranks differ that must not, or a number
///         is out of range
/// @source PEFT, LoraModel.add_weighted_adapter; TIES arXiv:2306.01708; DARE arXiv:2311.03099
Adapter combine(const std::vector<Adapter>& adapters, const Combination& combination);

/// The types, for help and messages.
const std::vector<std::string>& combination_types();

}  // namespace hone::adapters
