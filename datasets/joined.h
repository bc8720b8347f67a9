#pragma once

#include <vector>

#include "datasets/dataset.h"

namespace hone::datasets {

/// The rows of several data sets, one after another, as one; the rows stay where they are.
Dataset join(const std::vector<Dataset>& parts);

}  // namespace hone::datasets
