#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "optim/options.h"
#include "optim/parameter.h"

namespace hone::optim {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// What a rule sees of one parameter in one step.
struct Slot {
  Tensor parameter;            ///< f32, contiguous; changed in place
  Tensor gradient;             ///< f32, contiguous
  std::vector<Tensor> states;  ///< as `Rule::states` made them; changed in place
  double learning_rate;
  double weight_decay;
};

/// How parameters are updated. All that it remembers is in the states and the step's number, so
/// that saving these saves everything.
struct Rule {
  /// The states of a parameter before the first step, under the names that torch gives them.
  NamedTensors (*states)(const Tensor& parameter, const OptimOptions& options);
  /// Updates the parameters, all together. @param step counted from 1
  void (*step)(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options);
  /// Whether elements know nothing of each other, but for blocks of kernels::kStepBlock that share
  /// a scale: such a parameter can be updated a portion at a time, see portions.h.
  bool by_element = false;
};

/// An optimizer: a choice of `optim.name`.
struct Method {
  std::string name;
  std::string help;
  std::vector<std::string> reads;  ///< the keys of `optim` that only some methods read
  const Rule& (*rule_for)(const Parameter& parameter, const OptimOptions& options);
};

/// The table of optimizers.
const std::vector<Method>& methods();
/// @throws InternalError for a name that is not in the table
const Method& method_named(const std::string& name);

}  // namespace hone::optim
