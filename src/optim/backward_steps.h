#pragma once

#include <optional>
#include <vector>

#include "optim/optimizer.h"

namespace hone::optim {

/// While it lives, each parameter is updated during the backward pass, as soon as its gradient is
/// complete, and the gradient is let go: no two of them need exist at once. For one backward pass a
/// step, and without what needs all gradients first, as clipping by their joint norm does. The
/// numbers are those of `Optimizer::step`.
class BackwardSteps {
 public:
  struct Update {
    double learning_rate;
    double max_grad_value;  ///< as clip_grad_value takes it
  };

  /// @param update none: nothing is updated, gradients are only let go, for a probe of the memory
  BackwardSteps(Optimizer& optimizer, std::optional<Update> update);
  ~BackwardSteps();
  BackwardSteps(const BackwardSteps&) = delete;
  BackwardSteps& operator=(const BackwardSteps&) = delete;

  /// To be called after the backward pass: updates the parameters that got no gradient. A gradient
  /// that is not finite is not used, nor are those that come after it; parameters before it have
  /// been updated by then.
  /// @return the joint norm of the gradients before they were cut; not finite where one was not
  double finish();

 private:
  class Hook;
  void take(std::size_t index);
  void apply(std::size_t index);

  Optimizer& optimizer_;
  std::optional<Update> update_;
  bool has_begun_ = false;
  bool is_finite_ = true;
  std::vector<double> norms_;  ///< by parameter, so that they are summed in the same order always
  std::vector<bool> taken_;
};

}  // namespace hone::optim
