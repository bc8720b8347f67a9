#pragma once

#include <vector>

#include "optim/method.h"

namespace hone::optim {

/// Updates parameters by the method of `optim.name`, in fp32.
class Optimizer {
 public:
  Optimizer(std::vector<Parameter> parameters, const OptimOptions& options);

  /// One update at this learning rate; a parameter without a gradient counts as having gradient 0.
  void step(double learning_rate);
  void zero_grad();

  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// What the method remembers of every parameter, under `<parameter>.<state>` (`….exp_avg`), the
  /// very tensors that `step` updates; with the step count they are the whole state.
  NamedTensors state() const;
  std::int64_t steps_done() const { return steps_done_; }
  void set_steps_done(std::int64_t steps) { steps_done_ = steps; }

 private:
  /// What belongs to the parameter of the same index.
  struct Kept {
    const Rule* rule;
    NamedTensors states;
    double weight_decay;
  };
  Slot slot_of(std::size_t index, double learning_rate) const;

  std::vector<Parameter> parameters_;
  std::vector<Kept> kept_;
  OptimOptions options_;
  std::int64_t steps_done_ = 0;
};

}  // namespace hone::optim
