#pragma once

#include "kernels/stochastic_round/stochastic_round.h"
#include "optim/method.h"

namespace hone::optim {

/// One update of a parameter that is kept in bf16 and has no fp32 master: in fp32 on what bf16
/// holds, then rounded by chance. Elements are widened a portion at a time where the rule allows
/// it, so that no fp32 copy of the parameter exists; for adafactor, muon and galore it does.
/// @param slot its parameter and gradient bf16, its states fp32 or 8 bits
/// @param step counted from 1
/// @param begin where the slot begins in the tensor that it is a part of: a multiple of
///              kernels::kRoundingPortion
void step_rounded(const Rule& rule, const Slot& slot, std::int64_t step,
                  const OptimOptions& options, const kernels::RoundingKey& key,
                  std::int64_t begin = 0);

}  // namespace hone::optim
