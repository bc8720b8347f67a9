#include "adapters/changed_base.h"

#include <utility>

#include "quant/quantize.h"

namespace hone::adapters {
namespace {

/// The tensors of a packed matrix that follow from its numbers; which of them there are depends on
/// its form.
std::vector<std::pair<const char*, Tensor>> parts_of(const kernels::PackedMatrix& matrix) {
  std::vector<std::pair<const char*, Tensor>> parts;
  for (const auto& [name, tensor] :
       {std::pair{".codes", matrix.codes}, std::pair{".absmax", matrix.absmax},
        std::pair{".nested_absmax", matrix.nested_absmax}, std::pair{".offset", matrix.offset},
        std::pair{".zeros", matrix.zeros}})
    if (tensor.defined()) parts.emplace_back(name, tensor);
  return parts;
}

kernels::PackedMatrix copy_of(kernels::PackedMatrix matrix) {
  for (Tensor* tensor :
       {&matrix.codes, &matrix.absmax, &matrix.nested_absmax, &matrix.offset, &matrix.zeros})
    if (tensor->defined()) *tensor = tensor->clone();
  return matrix;
}

}  // namespace

void ChangedBase::take_over(model::Linear& linear) {
  const torch::NoGradGuard no_grad;
  Matrix& matrix = matrices_[linear.name];
  if (linear.packed) {
    matrix.packed = std::make_shared<kernels::PackedMatrix>(copy_of(*linear.packed));
    linear.packed = matrix.packed;
  } else {
    matrix.weight = linear.weight.clone();
    linear.weight = matrix.weight;
  }
}

void ChangedBase::put(const std::string& module, const Tensor& weight_OI) {
  const torch::NoGradGuard no_grad;
  Matrix& matrix = matrices_.at(module);
  if (matrix.weight.defined()) {
    matrix.weight.copy_(weight_OI);
    return;
  }
  const auto own = parts_of(*matrix.packed);
  const auto made = parts_of(quant::quantize(weight_OI.cpu(), quant::recipe_of(*matrix.packed)));
  for (std::size_t i = 0; i < own.size(); ++i) Tensor(own[i].second).copy_(made[i].second);
}

std::vector<NamedTensor> ChangedBase::state() const {
  std::vector<NamedTensor> state;
  for (const auto& [module, matrix] : matrices_) {
    const std::string name = "base." + module + ".weight";
    if (matrix.weight.defined()) {
      state.push_back({name, matrix.weight, false});
    } else {
      for (const auto& [part, tensor] : parts_of(*matrix.packed))
        state.push_back({name + part, tensor, false});
    }
  }
  return state;
}

}  // namespace hone::adapters
