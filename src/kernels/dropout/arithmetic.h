#pragma once

#include "kernels/number.h"

namespace hone::kernels {

template <class T>
struct Dropout {
  const T* x;  // [N, H], rows x_stride apart
  std::int64_t x_stride;
  T* y;  // [N, H]
  std::int64_t N, H;
  std::uint64_t seed;
  std::uint64_t counter_high;  // stream and step
  std::uint64_t counter_low;   // site and the first row's first group
  float p;
};

/// A row's elements share Philox's blocks of four words in `groups` = ceil(H / 4) groups: element h
/// has word h / groups of group h % groups, so that neighbours in a row come from different blocks
/// and the blocks can be computed side by side.
HONE_HOST_DEVICE std::int64_t dropout_groups(std::int64_t H) { return (H + 3) / 4; }

/// The four words of a group of row n.
template <class T>
HONE_HOST_DEVICE Philox::Words dropout_words(const Dropout<T>& a, std::int64_t n, std::int64_t g) {
  const std::uint64_t index = static_cast<std::uint64_t>(n * dropout_groups(a.H) + g);
  return Philox(a.seed)(a.counter_low + index, a.counter_high);
}

template <class T>
HONE_HOST_DEVICE T dropout_value(T x, std::uint32_t word, float p) {
  const Wide<T> scale = Wide<T>{1} / (Wide<T>{1} - static_cast<Wide<T>>(p));
  return narrow<T>(Philox::uniform(word) < p ? Wide<T>{0} : widen(x) * scale);
}

template <class T>
void launch_cpu(const Dropout<T>& args);

}  // namespace hone::kernels
