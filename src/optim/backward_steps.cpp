#include "optim/backward_steps.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>

#include "optim/clip.h"

namespace hone::optim {

/// What autograd calls once a parameter's gradient is complete.
class BackwardSteps::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(BackwardSteps& steps, std::size_t index) : steps_(steps), index_(index) {}
  void operator()(const torch::autograd::Variable&) override { steps_.take(index_); }

 private:
  BackwardSteps& steps_;
  std::size_t index_;
};

BackwardSteps::BackwardSteps(Optimizer& optimizer, std::optional<Update> update)
    : optimizer_(optimizer),
      update_(update),
      norms_(optimizer.parameters().size(), 0.0),
      taken_(optimizer.parameters().size(), false) {
  for (std::size_t i = 0; i < taken_.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(optimizer_.parameters()[i].tensor,
                                                   std::make_unique<Hook>(*this, i));
}

BackwardSteps::~BackwardSteps() {
  for (const Parameter& parameter : optimizer_.parameters())
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, nullptr);
}

void BackwardSteps::take(std::size_t index) {
  const torch::NoGradGuard no_grad;
  Tensor tensor = optimizer_.parameters()[index].tensor;
  norms_[index] = norm_of(tensor.grad());
  is_finite_ = is_finite_ && std::isfinite(norms_[index]);
  if (is_finite_) apply(index);
  tensor.mutable_grad().reset();
}

void BackwardSteps::apply(std::size_t index) {
  if (!update_) return;
  if (!has_begun_) optimizer_.begin_step();
  has_begun_ = true;
  taken_[index] = true;
  clip_grad_value({optimizer_.parameters()[index]}, update_->max_grad_value);
  optimizer_.update(index, update_->learning_rate);
}

double BackwardSteps::finish() {
  double sum_of_squares = 0;
  for (const double norm : norms_) sum_of_squares += norm * norm;
  for (std::size_t i = 0; is_finite_ && i < taken_.size(); ++i)
    if (!taken_[i]) apply(i);
  return std::sqrt(sum_of_squares);
}

}  // namespace hone::optim
