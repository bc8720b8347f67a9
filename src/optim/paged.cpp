#include "optim/portions.h"
#include "optim/rules.h"

// The device holds the states of one portion at a time. On a GPU's machine the host's copy is
// pinned, which makes fetching as fast as the bus is; on the CPU host and device are one, and the
// portions are copied all the same, so that what is tested there is what a GPU does.

namespace hone::optim {
namespace {

template <const Rule& (*rule)()>
NamedTensors host_states(const Tensor& parameter, const OptimOptions& options) {
  NamedTensors states = rule().states(parameter, options);
  if (parameter.is_cuda())
    for (auto& [name, state] : states) state = state.cpu().pin_memory();
  return states;
}

template <const Rule& (*rule)()>
void step_paged(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  for (const Slot& slot : slots)
    for_portions(slot, [&](const Slot& portion, std::int64_t) {
      const torch::Device device = portion.parameter.device();
      Slot fetched = portion;
      for (Tensor& state : fetched.states)
        state = state.to(device, state.scalar_type(), /*non_blocking=*/true, /*copy=*/true);
      rule().step({&fetched, 1}, step, options);
      // Waits for the device: a checkpoint may read the host's copy right after the step.
      for (std::size_t s = 0; s < portion.states.size(); ++s)
        portion.states[s].copy_(fetched.states[s]);
    });
}

template <const Rule& (*rule)()>
const Rule& paged() {
  static const Rule paged_rule{host_states<rule>, step_paged<rule>, /*by_element=*/true};
  return paged_rule;
}

}  // namespace

const Rule& paged_adamw_rule() { return paged<adamw_rule>(); }

const Rule& paged_adamw_8bit_rule() { return paged<adamw_8bit_rule>(); }

const Rule& paged_lion_rule() { return paged<lion_rule>(); }

const Rule& paged_lion_8bit_rule() { return paged<lion_8bit_rule>(); }

}  // namespace hone::optim
