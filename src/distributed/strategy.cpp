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
     Divides::kNothing, false, sum_gradients, /*overlaps=*/true},
    {"zero1",
     "as ddp, but each keeps the optimizer's state of a part of what is trained, updates that "
     "part, "
     "and gets the other parts from the others",
     Divides::kStates, false, sum_gradients},
    {"zero2",
     "as zero1, and a gradient's sum goes to the one that updates its part, and to no other",
     Divides::kGradients, false, nullptr},
    {"fsdp",
     "as zero2, and of all weights, trained and frozen, each keeps a part; a layer's are whole "
     "only "
     "while it computes, forward and backward",
     Divides::kWeights, false, nullptr},
    {"hybrid",
     "fsdp among the processes of a machine, or of distributed.shard_size, and as ddp among such "
     "groups",
     Divides::kWeights, true, nullptr},
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
