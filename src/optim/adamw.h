#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "optim/options.h"

namespace hone::optim {

using torch::Tensor;

/// One trained tensor. Its gradient is `tensor.grad()`.
struct Parameter {
  std::string name;
  Tensor tensor;      ///< f32 leaf
  bool decay = true;  ///< false for norm weights and biases (METHODS.md)
};

/// True where weight decay should pull at a parameter: not for norms and not for biases.
bool takes_weight_decay(const std::string& name);

/// Adam with decoupled weight decay, in fp32.
/// @source arXiv:1711.05101, algorithm 2, as torch.optim.AdamW computes it
class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, const OptimOptions& options);

  /// One update at this learning rate; a parameter without a gradient counts as having gradient 0.
  void step(double learning_rate);
  void zero_grad();

  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// Both moments of every parameter under `<name>.exp_avg` and `<name>.exp_avg_sq`, the very
  /// tensors that `step` updates; with the step count they are the whole state.
  std::vector<std::pair<std::string, Tensor>> state() const;
  std::int64_t steps_done() const { return steps_done_; }
  void set_steps_done(std::int64_t steps) { steps_done_ = steps; }

 private:
  struct Group {
    double weight_decay;
    std::vector<std::size_t> members;
  };

  std::vector<Parameter> parameters_;
  std::vector<Tensor> exp_avg_, exp_avg_sq_;
  std::vector<Group> groups_;
  OptimOptions options_;
  std::int64_t steps_done_ = 0;
};

/// Scales all gradients so that their joint Euclidean norm is at most max_norm.
/// @param max_norm 0 measures without clipping
/// @return the norm before clipping; not finite where a gradient is not
/// @source torch.nn.utils.clip_grad_norm_
double clip_grad_norm(const std::vector<Parameter>& parameters, double max_norm);

}  // namespace hone::optim
