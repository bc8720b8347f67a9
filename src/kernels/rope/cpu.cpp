#include "kernels/cpu_launch.h"
#include "kernels/rope/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const Rope<T>& a) {
  return {a.N, a.heads * a.head_dim};
}

template <class T>
HONE_INLINE void rope_head(const Rope<T>& a, const T* __restrict x, const Wide<T>* __restrict cos,
                           const Wide<T>* __restrict sin, T* __restrict y) {
  for (std::int64_t i = 0; i < a.half; ++i) {
    const RopePair<Wide<T>> turned = rope_pair(x[i], x[i + a.half], cos[i], a.direction * sin[i]);
    y[i] = narrow<T>(turned.low);
    y[i + a.half] = narrow<T>(turned.high);
  }
  for (std::int64_t i = 2 * a.half; i < a.head_dim; ++i) y[i] = x[i];
}

template <class T>
HONE_INLINE void cpu_item(const Rope<T>& a, std::int64_t n) {
  for (std::int64_t head = 0; head < a.heads; ++head)
    rope_head(a, a.x + n * a.token_stride + head * a.head_stride, a.cos + n * a.half,
              a.sin + n * a.half, a.y + (n * a.heads + head) * a.head_dim);
}

}  // namespace

HONE_CPU_LAUNCHERS(Rope)

}  // namespace hone::kernels
