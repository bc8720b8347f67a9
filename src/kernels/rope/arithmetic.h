#pragma once

#include "kernels/number.h"

namespace hone::kernels {

template <class T>
struct Rope {
  const T* x;  // [N, heads, head_dim]
  std::int64_t token_stride, head_stride;
  const Wide<T>*cos, *sin;  // [N, half]
  T* y;                     // [N, heads, head_dim], contiguous
  std::int64_t N, heads, head_dim, half;
  Wide<T> direction;  // 1, or −1 to turn back
};

template <class W>
struct RopePair {
  W low, high;  // not rounded yet: compilers vectorise no pairs of 16-bit numbers
};

/// Turns the pair (x[i], x[i + half]) by the angle of this cos and sin.
template <class T>
HONE_HOST_DEVICE RopePair<Wide<T>> rope_pair(T low, T high, Wide<T> cos, Wide<T> sin) {
  const Wide<T> l = widen(low), h = widen(high);
  return {l * cos - h * sin, h * cos + l * sin};
}

template <class T>
void launch_cpu(const Rope<T>& args);

}  // namespace hone::kernels
