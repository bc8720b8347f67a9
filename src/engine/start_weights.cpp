#include "engine/start_weights.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "distributed/exchange.h"

namespace hone::engine {

void share_start(const distributed::Group& group, const std::vector<optim::Parameter>& parameters) {
  if (group.is_alone()) return;
  const torch::NoGradGuard no_grad;
  std::string shapes;
  for (const optim::Parameter& parameter : parameters)
    shapes += fmt::format("{} {}\n", parameter.name, fmt::join(parameter.tensor.sizes(), "x"));
  HONE_CHECK(Error,
             distributed::text_of_first(group, shapes, "the trained weights' shapes",
                                        distributed::Patience::kPhase) == shapes,
             "rank {}: trains weights of other shapes than rank 0; do both read the same data and "
             "the same model?",
             group.rank());
  for (const optim::Parameter& parameter : parameters)
    group.broadcast(parameter.tensor, 0, "the first weights", distributed::Patience::kPhase);
}

}  // namespace hone::engine
