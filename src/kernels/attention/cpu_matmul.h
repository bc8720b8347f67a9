#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "kernels/number.h"

// Small matrix products whose operands stay in the caches: the right operand is packed into panels
// of one vector's width, so that the innermost loop reads it in order, broadcasts the left one and
// keeps a tile of the result in registers.
namespace hone::kernels {

template <class W>
struct Lanes {
  typedef W Vector __attribute__((vector_size(64)));
  static constexpr std::int64_t kCount = 64 / static_cast<std::int64_t>(sizeof(W));
};

/// Rounds up to whole vectors.
template <class W>
constexpr std::int64_t padded(std::int64_t n) {
  return (n + Lanes<W>::kCount - 1) / Lanes<W>::kCount * Lanes<W>::kCount;
}

/// Memory aligned to a cache line, not initialised.
template <class W>
class Buffer {
 public:
  explicit Buffer(std::int64_t size)
      : data_(static_cast<W*>(
            ::operator new (static_cast<std::size_t>(size) * sizeof(W), std::align_val_t{64}))) {}
  W* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(W* data) const { ::operator delete (data, std::align_val_t{64}); }
  };
  std::unique_ptr<W, Free> data_;
};

/// A left operand [M, K], read in place; transposed by swapping the strides.
template <class W>
struct Left {
  const W* data;
  std::int64_t row_stride, column_stride;
};

/// A right operand [K, N] in panels: element (k, n) lies at
/// (n / lanes) · panel_stride + k · lanes + n % lanes.
template <class W>
struct Panels {
  const W* data;
  std::int64_t panel_stride;
};

/// Packs rows [K, N] of storage type T as a right operand; columns up to whole vectors become 0.
template <class T>
HONE_INLINE void pack_rows(const T* rows, std::int64_t row_stride, std::int64_t K, std::int64_t N,
                           Wide<T> factor, Wide<T>* panels, std::int64_t panel_stride) {
  constexpr std::int64_t kCount = Lanes<Wide<T>>::kCount;
  for (std::int64_t first = 0; first < N; first += kCount) {
    Wide<T>* const panel = panels + first / kCount * panel_stride;
    const std::int64_t width = N - first < kCount ? N - first : kCount;
    for (std::int64_t k = 0; k < K; ++k) {
      for (std::int64_t n = 0; n < width; ++n)
        panel[k * kCount + n] = factor * widen(rows[k * row_stride + first + n]);
      for (std::int64_t n = width; n < kCount; ++n) panel[k * kCount + n] = 0;
    }
  }
}

/// Packs the transpose of rows [N − first, K] as columns [first, N) of a right operand [K, N];
/// those after them up to whole vectors become 0.
template <class T>
HONE_INLINE void pack_columns(const T* rows, std::int64_t row_stride, std::int64_t K,
                              std::int64_t first, std::int64_t N, Wide<T>* panels) {
  constexpr std::int64_t kCount = Lanes<Wide<T>>::kCount;
  for (std::int64_t n = first; n < padded<Wide<T>>(N); ++n) {
    Wide<T>* const lane = panels + n / kCount * (K * kCount) + n % kCount;
    if (n < N)
      for (std::int64_t k = 0; k < K; ++k)
        lane[k * kCount] = widen(rows[(n - first) * row_stride + k]);
    else
      for (std::int64_t k = 0; k < K; ++k) lane[k * kCount] = 0;
  }
}

/// C[0 … kRows) × one panel (+)= left · panel.
template <int kRows, bool kAccumulate, class W>
HONE_INLINE void matmul_tile(const Left<W>& left, const W* panel, std::int64_t K, W* c,
                             std::int64_t c_stride) {
  using Vector = typename Lanes<W>::Vector;
  Vector sums[kRows];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    if constexpr (kAccumulate)
      std::memcpy(&sums[m], c + m * c_stride, sizeof(Vector));
    else
      sums[m] = Vector{};
  }
  for (std::int64_t k = 0; k < K; ++k) {
    Vector right;
    std::memcpy(&right, panel + k * Lanes<W>::kCount, sizeof(Vector));
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m)
      sums[m] += left.data[m * left.row_stride + k * left.column_stride] * right;
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) std::memcpy(c + m * c_stride, &sums[m], sizeof(Vector));
}

/// C [M, N] (+)= left [M, K] · right [K, N]. N is rounded up to whole vectors, which C must hold.
template <bool kAccumulate, class W>
HONE_INLINE void matmul(const Left<W>& left, const Panels<W>& right, std::int64_t M, std::int64_t N,
                        std::int64_t K, W* c, std::int64_t c_stride) {
  constexpr int kRows = 6;
  for (std::int64_t n = 0; n < N; n += Lanes<W>::kCount) {
    const W* const panel = right.data + n / Lanes<W>::kCount * right.panel_stride;
    const auto at_row = [&](std::int64_t m) {
      return Left<W>{left.data + m * left.row_stride, left.row_stride, left.column_stride};
    };
    std::int64_t m = 0;
    for (; m + kRows <= M; m += kRows)
      matmul_tile<kRows, kAccumulate>(at_row(m), panel, K, c + m * c_stride + n, c_stride);
    for (; m + 2 <= M; m += 2)
      matmul_tile<2, kAccumulate>(at_row(m), panel, K, c + m * c_stride + n, c_stride);
    if (m < M) matmul_tile<1, kAccumulate>(at_row(m), panel, K, c + m * c_stride + n, c_stride);
  }
}

}  // namespace hone::kernels
