#include "datasets/example.h"

#include <algorithm>

namespace hone::datasets {

std::int64_t Example::trained_tokens() const {
  if (weights.empty()) return 0;
  return std::count(weights.begin() + 1, weights.end(), 1.0f);
}

}  // namespace hone::datasets
