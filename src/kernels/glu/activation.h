#pragma once

namespace hone::kernels {

enum class Activation {
  kSilu,      ///< z / (1 + e^−z)
  kGeluTanh,  ///< z/2 · (1 + tanh(√(2/π) (z + 0.044715 z³))), arXiv:1606.08415, section 2
};

}  // namespace hone::kernels
