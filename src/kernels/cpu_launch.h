#pragma once

#include "kernels/number.h"
#include "kernels/parallel.h"

// Defines launch_cpu for an operation's arguments in every storage type. The operation's cpu.cpp
// gives, before this, two function templates:
//   CpuWork cpu_work(const Op<T>&)                 how many items of work there are
//   HONE_INLINE void cpu_item(const Op<T>&, i)     does the i-th, alone and in any order
// The items are shared among threads, and the loops inside each are vectorised (HONE_SIMD).
#define HONE_CPU_LAUNCHERS(Op)     \
  HONE_CPU_LAUNCHER_FOR(Op, float) \
  HONE_CPU_LAUNCHER_FOR(Op, Bf16)  \
  HONE_CPU_LAUNCHER_FOR(Op, Fp16)  \
  HONE_CPU_LAUNCHER_FOR(Op, double)

#define HONE_CPU_LAUNCHER_FOR(Op, T)                                                          \
  namespace {                                                                                 \
  HONE_SIMD void cpu_items(const Op<T>& args, std::int64_t begin, std::int64_t end) {         \
    for (std::int64_t i = begin; i < end; ++i) cpu_item(args, i);                             \
  }                                                                                           \
  }                                                                                           \
  template <>                                                                                 \
  void launch_cpu(const Op<T>& args) {                                                        \
    const CpuWork work = cpu_work(args);                                                      \
    parallel_for(work.items, items_per_thread(work.elements),                                 \
                 [&](std::int64_t begin, std::int64_t end) { cpu_items(args, begin, end); }); \
  }

namespace hone::kernels {

struct CpuWork {
  std::int64_t items;
  std::int64_t elements;  ///< how many numbers an item touches, to give each thread enough
};

/// Items a thread should get at least, so that waking it pays: some 16,000 elements.
inline std::int64_t items_per_thread(std::int64_t elements) {
  return elements >= 16384 ? 1 : 16384 / (elements > 0 ? elements : 1);
}

}  // namespace hone::kernels
