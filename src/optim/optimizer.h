#pragma once

#include <vector>

#include "optim/groups.h"
#include "optim/method.h"

namespace hone::optim {

/// Where one of an optimizer's states belongs.
struct StatePlace {
  std::size_t parameter = 0;  ///< the index of the parameter that it is remembered of
  std::optional<Part> part;   ///< where it is a part of what one rank alone would remember
};

/// Updates parameters by the method of `optim.name`, in fp32. Parameters that are kept in bf16 are
/// rounded to it by chance, so that updates too small for it count in the mean.
class Optimizer {
 public:
  /// @param seed of that chance
  Optimizer(std::vector<Parameter> parameters, const OptimOptions& options, std::uint64_t seed = 0);

  /// One update at this learning rate; a parameter without a gradient counts as having gradient 0.
  void step(double learning_rate);
  void zero_grad();

  /// The same as `step` in parts: `begin_step`, then `update` once for each parameter, in any
  /// order.
  void begin_step() { ++steps_done_; }
  void update(std::size_t index, double learning_rate);

  /// Puts the running averages of optim.ema_decay into the parameters, where there are any: for the
  /// end of a run.
  void take_averages();

  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// What is remembered of every parameter, under `<parameter>.<state>` (`….exp_avg`, `….ema`), the
  /// very tensors that `step` updates; with the step count they are the whole state.
  NamedTensors state() const;
  /// For each of state(), where it belongs: of a part of a parameter, moments are a part of the
  /// whole's, and so are the scales of its blocks.
  std::vector<StatePlace> state_places() const;
  std::int64_t steps_done() const { return steps_done_; }
  void set_steps_done(std::int64_t steps) { steps_done_ = steps; }

 private:
  /// What belongs to the parameter of the same index.
  struct Kept {
    const Rule* rule;
    NamedTensors states;
    Rates rates;
    Tensor average;  ///< undefined without optim.ema_decay
  };
  /// What follows an update of the parameter.
  void conclude(std::size_t index);
  void update_rounded(std::size_t index, const Slot& slot);
  Slot slot_of(std::size_t index, double learning_rate) const;

  std::vector<Parameter> parameters_;
  std::vector<Kept> kept_;
  OptimOptions options_;
  std::uint64_t seed_;
  std::int64_t steps_done_ = 0;
};

}  // namespace hone::optim
