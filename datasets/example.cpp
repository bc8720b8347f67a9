#include "datasets/example.h"

namespace hone::datasets {

std::int64_t Example::trained_tokens() const {
  std::int64_t count = 0;
  for (std::size_t t = 0; t < ids.size(); ++t) count += is_trained(t);
  return count;
}

}  // namespace hone::datasets
