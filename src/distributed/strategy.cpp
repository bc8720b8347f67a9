#include "distributed/strategy.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "distributed/exchange.h"

namespace hone::distributed {
namespace {

/// Every rank has all weights, so that all need all gradients.
void sum_gradients(const Group& group, std::span<const Tensor> parameters) {
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : parameters) {
    Tensor leaf = parameter;
    if (!leaf.grad().defined()) leaf.mutable_grad() = torch::zeros_like(leaf);
    gradients.push_back(leaf.grad());
  }
  sum_tensors(group, gradients, "the gradients", group.reduce_dtype());
}

constexpr Strategy kStrategies[] = {
    {"ddp",
     "each holds the whole model and computes its share of a step's micro-batches; the gradients "
     "are summed over all once a step: an adapter's at its end, the model's own while its last "
     "backward pass goes on",
     sum_gradients, /*overlaps=*/true},
};

}  // namespace

std::span<const Strategy> strategies() { return kStrategies; }

const Strategy& strategy_named(std::string_view name) {
  const auto found = std::ranges::find(kStrategies, name, &Strategy::name);
  HONE_CHECK(ConfigError, found != std::end(kStrategies),
             "distributed.strategy: there is no strategy '{}'", name);
  return *found;
}

}  // namespace hone::distributed
