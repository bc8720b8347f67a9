#include <algorithm>

#include "kernels/cpu_launch.h"
#include "kernels/dropout/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr std::int64_t kGroupsAtOnce = 64;

template <class T>
CpuWork cpu_work(const Dropout<T>& a) {
  return {a.N, 8 * a.H};  // a random word costs as much as several elements
}

template <class T>
HONE_INLINE void cpu_item(const Dropout<T>& a, std::int64_t n) {
  const std::int64_t groups = dropout_groups(a.H);
  std::uint32_t words[4][kGroupsAtOnce];
  for (std::int64_t first = 0; first < groups; first += kGroupsAtOnce) {
    const std::int64_t count = std::min(kGroupsAtOnce, groups - first);
    for (std::int64_t g = 0; g < count; ++g) {
      const Philox::Words block = dropout_words(a, n, first + g);
      for (int w = 0; w < 4; ++w) words[w][g] = block.w[w];
    }
    for (int w = 0; w < 4; ++w) {
      const T* const __restrict x = a.x + n * a.x_stride + w * groups + first;
      T* const __restrict y = a.y + n * a.H + w * groups + first;
      const std::int64_t end = std::min(count, a.H - w * groups - first);
      for (std::int64_t g = 0; g < end; ++g) y[g] = dropout_value(x[g], words[w][g], a.p);
    }
  }
}

}  // namespace

HONE_CPU_LAUNCHERS(Dropout)

}  // namespace hone::kernels
