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
HONE_INLINE void backward_row(const T* __restrict dy, const T* __restrict gate,
                              const T* __restrict up, T* __restrict dgate, T* __restrict dup,
                              std::int64_t I) {
  for (std::int64_t i = 0; i < I; ++i) {
    const SwigluGradient<Wide<T>> gradient = swiglu_gradient(dy[i], gate[i], up[i]);
    dgate[i] = narrow<T>(gradient.gate);
    dup[i] = narrow<T>(gradient.up);
  }
}

template <class T>
HONE_INLINE void cpu_item(const SwigluBackward<T>& a, std::int64_t n) {
  backward_row(a.dy + n * a.I, a.gate + n * a.gate_stride, a.up + n * a.up_stride,
               a.dgate + n * a.I, a.dup + n * a.I, a.I);
}

}  // namespace

HONE_CPU_LAUNCHERS(SwigluForward)
HONE_CPU_LAUNCHERS(SwigluBackward)

}  // namespace hone::kernels
