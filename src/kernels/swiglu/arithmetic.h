#pragma once

#include "kernels/elementary.h"

namespace hone::kernels {

template <class T>
struct SwigluForward {
  const T *gate, *up;  // [N, I]
  std::int64_t gate_stride, up_stride;
  T* y;  // [N, I]
  std::int64_t N, I;
};

template <class T>
struct SwigluBackward {
  const T* dy;         // [N, I]
  const T *gate, *up;  // [N, I]
  std::int64_t gate_stride, up_stride;
  T *dgate, *dup;  // [N, I]
  std::int64_t N, I;
};

template <class W>
HONE_HOST_DEVICE W sigmoid(W z) {
  return W{1} / (W{1} + exponential(-z));
}

template <class T>
HONE_HOST_DEVICE T swiglu_value(T gate, T up) {
  const Wide<T> z = widen(gate);
  return narrow<T>(z * sigmoid(z) * widen(up));
}

template <class W>
struct SwigluGradient {
  W gate, up;  // not rounded yet: compilers vectorise no pairs of 16-bit numbers
};

/// silu'(z) = σ(z) · (1 + z · (1 − σ(z)))
template <class T>
HONE_HOST_DEVICE SwigluGradient<Wide<T>> swiglu_gradient(T dy, T gate, T up) {
  const Wide<T> z = widen(gate), d = widen(dy);
  const Wide<T> s = sigmoid(z);
  return {d * widen(up) * s * (1 + z * (1 - s)), d * z * s};
}

template <class T>
void launch_cpu(const SwigluForward<T>& args);
template <class T>
void launch_cpu(const SwigluBackward<T>& args);

}  // namespace hone::kernels
