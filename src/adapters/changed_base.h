#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "kernels/packed/packed.h"

namespace hone::adapters {

/// Matrices of a frozen base that a run changes all the same, each in the form that the base has it
/// in: a float, or packed. They are part of the run's state.
class ChangedBase {
 public:
  /// Gives the layer a copy of its matrix. Who shares the old one keeps it as it is.
  void take_over(model::Linear& linear);

  /// Writes a matrix in the place of a layer's, rounded or packed as that one was.
  /// @param weight_OI f32. @throws DataError where a number is not finite
  void put(const std::string& module, const Tensor& weight_OI);

  /// The very tensors that the model computes with, by name.
  std::vector<NamedTensor> state() const;

 private:
  struct Matrix {
    Tensor weight;                                  // one of
    std::shared_ptr<kernels::PackedMatrix> packed;  // these two
  };
  std::map<std::string, Matrix> matrices_;
};

}  // namespace hone::adapters
