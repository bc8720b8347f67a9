#include "kernels/cpu_launch.h"
#include "kernels/glu/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const GluForward<T>& a) {
  return {a.N, a.I};
}

template <class Act, class T>
HONE_INLINE void forward_row(const T* __restrict gate, const T* __restrict up, T* __restrict y,
                             std::int64_t I) {
  for (std::int64_t i = 0; i < I; ++i) y[i] = glu_value<Act>(gate[i], up[i]);
}

template <class T>
HONE_INLINE void cpu_item(const GluForward<T>& a, std::int64_t n) {
  const T* const gate = a.gate + n * a.gate_stride;
  const T* const up = a.up + n * a.up_stride;
  T* const y = a.y + n * a.I;
  if (a.activation == Activation::kSilu)
    forward_row<Silu>(gate, up, y, a.I);
  else
    forward_row<GeluTanh>(gate, up, y, a.I);
}

template <class T>
CpuWork cpu_work(const GluBackward<T>& a) {
  return {a.N, a.I};
}

template <class Act, class T>
HONE_INLINE void backward_row(const T* __restrict dy, const T* __restrict gate,
                              const T* __restrict up, T* __restrict dgate, T* __restrict dup,
                              std::int64_t I) {
  for (std::int64_t i = 0; i < I; ++i) {
    const GluGradient<Wide<T>> gradient = glu_gradient<Act>(dy[i], gate[i], up[i]);
    dgate[i] = narrow<T>(gradient.gate);
    dup[i] = narrow<T>(gradient.up);
  }
}

template <class T>
HONE_INLINE void cpu_item(const GluBackward<T>& a, std::int64_t n) {
  const T* const gate = a.gate + n * a.gate_stride;
  const T* const up = a.up + n * a.up_stride;
  const T* const dy = a.dy + n * a.I;
  T* const dgate = a.dgate + n * a.I;
  T* const dup = a.dup + n * a.I;
  if (a.activation == Activation::kSilu)
    backward_row<Silu>(dy, gate, up, dgate, dup, a.I);
  else
    backward_row<GeluTanh>(dy, gate, up, dgate, dup, a.I);
}

}  // namespace

HONE_CPU_LAUNCHERS(GluForward)
HONE_CPU_LAUNCHERS(GluBackward)

}  // namespace hone::kernels
