#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/spec.h"

namespace hone::adapters {

/// A LoRA adapter that fits a budget.
struct BudgetRow {
  std::string targets;               ///< what the set is called: "feed-forward"
  std::vector<std::string> modules;  ///< adapter.target_modules
  std::int64_t rank = 0;
  std::int64_t parameters = 0;
  bool is_advised = false;  ///< what the literature would begin with (METHODS.md's advice)
};

/// Every usual rank with every usual set of targets that has at most `max_parameters` trained
/// numbers, larger ones first; one of them is advised: all linear layers or else the feed-forward
/// ones (which help most) or the attention's (which are cheapest), at the largest rank up to 64
/// that fits.
/// @return empty where not even rank 1 fits
std::vector<BudgetRow> plan_budget(const model::Spec& spec, std::int64_t max_parameters);

}  // namespace hone::adapters
