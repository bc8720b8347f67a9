#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone::optim {

using torch::Tensor;

/// Which elements of a whole tensor a rank keeps: as many as its own tensor has, from `begin` of
/// the whole laid flat.
struct Part {
  std::vector<std::int64_t> shape;  ///< of the whole
  std::int64_t begin = 0;
};

/// One trained tensor. Its gradient is `tensor.grad()`.
struct Parameter {
  std::string name;
  Tensor tensor;                  ///< f32 leaf, or bf16: then it is its own master
  bool decay = true;              ///< false for norm weights and biases (METHODS.md)
  std::optional<Part> part = {};  ///< where `tensor` is a part of a whole: flat
};

/// True where weight decay should pull at a parameter: not for norms and not for biases.
bool takes_weight_decay(const std::string& name);

/// True for the matrices between embedding and head, which Muon and GaLore are made for.
bool is_hidden_matrix(const Parameter& parameter);

}  // namespace hone::optim
