#pragma once

#include <vector>

#include "engine/document_logps.h"
#include "engine/evaluate.h"
#include "loss/pairs.h"

namespace hone::dpo {

using torch::Tensor;

// Axes: D documents of a batch, P pairs, D = 2 P: chosen, rejected, chosen, …

/// Log-probabilities of a batch's pairs, with what the loss needs to know of them besides.
/// @param policy_D, reference_D as response_logps and Reference::logps give them
loss::PairLogps pair_logps(const Tensor& policy_D, const Tensor& reference_D,
                           const engine::DeviceBatch& batch);

/// Pairs of several batches as one.
loss::PairLogps joined(const std::vector<loss::PairLogps>& parts);

/// Pairs among numbers, and taken out of them again, on the CPU.
void put(const loss::PairLogps& pairs, eval::Numbers& numbers);
loss::PairLogps take_pair_logps(engine::NumbersReader& next);

/// Chosen answers' tokens over pairs.
double mean_chosen_tokens(const std::vector<datasets::Batch>& micro_batches);

}  // namespace hone::dpo
