#pragma once

#include "datasets/dataset.h"

namespace hone::engine {

/// Pairs whose answers' tokens beyond the length of the shorter answer weigh `ld_alpha` times what
/// they did. @source arXiv:2409.06411
datasets::Dataset with_length_weights(const datasets::Dataset& pairs, double ld_alpha);

}  // namespace hone::engine
