#include "kernels/cpu_launch.h"
#include "kernels/swiglu/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const SwigluForward<T>& a) {
  return {a.N, a.I};
}

template <class T>
HONE_INLINE void cpu_item(const SwigluForward<T>& a, std::int64_t n) {
  const T* const __restrict gate = a.gate + n * a.gate_stride;
  const T* const __restrict up = a.up + n * a.up_stride;
  T* const __restrict y = a.y + n * a.I;
  for (std::int64_t i = 0; i < a.I; ++i) y[i] = swiglu_value(gate[i], up[i]);
}

template <class T>
CpuWork cpu_work(const SwigluBackward<T>& a) {
  return {a.N, a.I};
}

template <class T>
HONE_INLINE void cpu_item(const SwigluBackward<T>& a, std::int64_t n) {
  const T* const __restrict dy = a.dy + n * a.I;
  const T* const __restrict gate = a.gate + n * a.gate_stride;
  const T* const __restrict up = a.up + n * a.up_stride;
  T* const __restrict dgate = a.dgate + n * a.I;
  T* const __restrict dup = a.dup + n * a.I;
  for (std::int64_t i = 0; i < a.I; ++i) {
    const SwigluGradient<T> gradient = swiglu_gradient(dy[i], gate[i], up[i]);
    dgate[i] = gradient.gate;
    dup[i] = gradient.up;
  }
}

}  // namespace

HONE_CPU_LAUNCHERS(SwigluForward)
HONE_CPU_LAUNCHERS(SwigluBackward)

}  // namespace hone::kernels
