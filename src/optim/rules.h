#pragma once

#include "optim/method.h"

namespace hone::optim {

// elementwise.cpp: one fused pass over all parameters.
const Rule& adamw_rule();  ///< decoupled decay; with optim.amsgrad a third state
const Rule& adam_rule();   ///< the decay is added to the gradient
const Rule& adagrad_rule();
const Rule& rmsprop_rule();
const Rule& sgd_rule();
const Rule& lion_rule();

// blockwise.cpp: the same arithmetic with states of 8 bits.
const Rule& adamw_8bit_rule();
const Rule& lion_8bit_rule();

// paged.cpp: the same again with the states in host memory, fetched a portion at a time.
const Rule& paged_adamw_rule();
const Rule& paged_adamw_8bit_rule();
const Rule& paged_lion_rule();
const Rule& paged_lion_8bit_rule();

/// As transformers.optimization.Adafactor.
const Rule& adafactor_rule();
/// As torch.optim.Adafactor.
const Rule& adafactor_torch_rule();

/// For matrices.
const Rule& muon_rule();
/// For matrices both of whose sides are above optim.galore_rank.
const Rule& galore_adamw_rule();

}  // namespace hone::optim
