#pragma once

#include "kernels/elementary.h"
#include "kernels/glu/activation.h"

namespace hone::kernels {

template <class T>
struct GluForward {
  const T *gate, *up;  // [N, I]
  std::int64_t gate_stride, up_stride;
  T* y;  // [N, I]
  std::int64_t N, I;
  Activation activation;
};

template <class T>
struct GluBackward {
  const T* dy;         // [N, I]
  const T *gate, *up;  // [N, I]
  std::int64_t gate_stride, up_stride;
  T *dgate, *dup;  // [N, I]
  std::int64_t N, I;
  Activation activation;
};

/// An activation's value and derivative.
template <class W>
struct Activated {
  W value, slope;
};

template <class W>
HONE_HOST_DEVICE W sigmoid(W z) {
  return W{1} / (W{1} + exponential(-z));
}

/// σ(z) and σ(−z) = 1 − σ(z), neither of which cancels.
template <class W>
struct SigmoidPair {
  W of, rest;
};
template <class W>
HONE_HOST_DEVICE SigmoidPair<W> sigmoid_pair(W z) {
  const W e = exponential(-z);
  const W s = W{1} / (W{1} + e);
  return {s, e < W(1e30) ? e * s : W{1}};
}

/// silu'(z) = σ(z) · (1 + z σ(−z))
struct Silu {
  template <class W>
  HONE_HOST_DEVICE static W value(W z) {
    return z * sigmoid(z);
  }
  template <class W>
  HONE_HOST_DEVICE static Activated<W> both(W z) {
    const SigmoidPair<W> s = sigmoid_pair(z);
    return {z * s.of, s.of * (1 + z * s.rest)};
  }
};

/// As (1 + tanh u) / 2 = σ(2u): gelu(z) = z · σ(v) and gelu'(z) = σ(v) + z · σ(v) σ(−v) · v', with
/// v = 2 √(2/π) (z + a z³). Nothing cancels far out.
struct GeluTanh {
  static constexpr double kC = 1.59576912160573071176, kA = 0.044715;  // kC = 2 √(2/π)

  template <class W>
  HONE_HOST_DEVICE static W inner(W z) {
    return W(kC) * (z + W(kA) * z * z * z);
  }
  template <class W>
  HONE_HOST_DEVICE static W value(W z) {
    return z * sigmoid(inner(z));
  }
  template <class W>
  HONE_HOST_DEVICE static Activated<W> both(W z) {
    const SigmoidPair<W> s = sigmoid_pair(inner(z));
    // Far out σ(v) σ(−v) is 0 while z² may overflow, and 0 · inf is no number.
    const W bounded = z > W(1e6) ? W(1e6) : z < W(-1e6) ? W(-1e6) : z;
    const W slope = W(kC) * (1 + W(3 * kA) * bounded * bounded);
    return {z * s.of, s.of + bounded * (s.of * s.rest) * slope};
  }
};

template <class Act, class T>
HONE_HOST_DEVICE T glu_value(T gate, T up) {
  return narrow<T>(Act::value(widen(gate)) * widen(up));
}

template <class W>
struct GluGradient {
  W gate, up;  // not rounded yet: compilers vectorise no pairs of 16-bit numbers
};

template <class Act, class T>
HONE_HOST_DEVICE GluGradient<Wide<T>> glu_gradient(T dy, T gate, T up) {
  const Activated<Wide<T>> act = Act::both(widen(gate));
  const Wide<T> d = widen(dy);
  return {d * widen(up) * act.slope, d * act.value};
}

template <class T>
void launch_cpu(const GluForward<T>& args);
template <class T>
void launch_cpu(const GluBackward<T>& args);

}  // namespace hone::kernels
