#pragma once

#include <torch/types.h>

#include <string>

namespace hone::optim {

using torch::Tensor;

/// One trained tensor. Its gradient is `tensor.grad()`.
struct Parameter {
  std::string name;
  Tensor tensor;      ///< f32 leaf, or bf16: then it is its own master
  bool decay = true;  ///< false for norm weights and biases (METHODS.md)
};

/// True where weight decay should pull at a parameter: not for norms and not for biases.
bool takes_weight_decay(const std::string& name);

/// True for the matrices between embedding and head, which Muon and GaLore are made for.
bool is_hidden_matrix(const Parameter& parameter);

}  // namespace hone::optim
