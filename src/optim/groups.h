#pragma once

#include <vector>

#include "optim/options.h"
#include "optim/parameter.h"

namespace hone::optim {

/// What a parameter has of its own.
struct Rates {
  double learning_rate_ratio = 1;  ///< of the run's learning rate
  double weight_decay = 0;
};

/// The rates of each parameter: of the first of `optim.groups` whose pattern is found in its name,
/// else those of `optim`, with no decay for norms and biases. LoRA+ raises the rate of LoRA's B,
/// and of vectors, as PEFT's create_loraplus_optimizer does; a rate that a group gives stays.
/// @throws ConfigError for a pattern that is no regular expression or is found in no name, and for
///         LoRA+ where no LoRA is trained
/// @source LoRA+: arXiv:2402.12354
std::vector<Rates> rates_of(const std::vector<Parameter>& parameters, const OptimOptions& options);

}  // namespace hone::optim
