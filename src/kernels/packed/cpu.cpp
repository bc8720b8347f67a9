#include <algorithm>
#include <cstring>

#include "kernels/cpu_launch.h"
#include "kernels/packed/arithmetic.h"

namespace hone::kernels {
namespace {

/// The numbers of a block's 16 codes, twice, to fill a vector of 32 of them.
constexpr std::int64_t kTable = 32;

/// Looks up both codes of every byte, the upper one first.
template <class T>
HONE_INLINE void look_up_each(const std::uint8_t* bytes, std::int64_t count, const T* table,
                              T* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[2 * i] = table[bytes[i] >> 4];
    out[2 * i + 1] = table[bytes[i] & 15];
  }
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

/// What fills a vector of 64 bytes with numbers of a size: the bytes that hold their codes, and
/// words that hold a byte's two codes once each has a number's place.
template <std::size_t size>
struct Lanes;
template <>
struct Lanes<2> {
  typedef std::uint16_t Numbers __attribute__((vector_size(64)));
  typedef std::uint8_t Bytes __attribute__((vector_size(16)));
  typedef std::uint32_t Pairs __attribute__((vector_size(64)));
};
template <>
struct Lanes<4> {
  typedef std::uint32_t Numbers __attribute__((vector_size(64)));
  typedef std::uint8_t Bytes __attribute__((vector_size(8)));
  typedef std::uint64_t Pairs __attribute__((vector_size(64)));
};

/// Where one instruction permutes a whole vector of 16-bit or 32-bit numbers, a lookup in a table
/// that fits a vector is that instruction. An index counts modulo the vector's length, so that what
/// is left above a code's four bits does no harm.
template <class T>
HONE_INLINE void permute(const std::uint8_t* bytes, std::int64_t count, const T* table, T* out) {
  using Numbers = typename Lanes<sizeof(T)>::Numbers;
  using Bytes = typename Lanes<sizeof(T)>::Bytes;
  using Pairs = typename Lanes<sizeof(T)>::Pairs;
  constexpr std::int64_t kBytes = sizeof(Bytes);
  constexpr int kLane = 8 * sizeof(T);
  Numbers values;
  std::memcpy(&values, table, sizeof values);
  std::int64_t i = 0;
  for (; i + kBytes <= count; i += kBytes) {
    Bytes loaded;
    std::memcpy(&loaded, bytes + i, sizeof loaded);
    const Pairs wide = __builtin_convertvector(loaded, Pairs);
    const Numbers looked_up = __builtin_shuffle(values, (Numbers)(wide >> 4 | wide << kLane));
    std::memcpy(out + 2 * i, &looked_up, sizeof looked_up);
  }
  look_up_each(bytes + i, count - i, table, out + 2 * i);
}

#endif

template <class T>
HONE_INLINE void look_up(const std::uint8_t* bytes, std::int64_t count, const T* table, T* out) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  if constexpr (sizeof(T) <= sizeof(float))
    if (__builtin_cpu_supports("avx512bw")) return permute(bytes, count, table, out);
#endif
  look_up_each(bytes, count, table, out);
}

/// Elements [first, end) of one block, which need begin on no whole byte.
/// @param map the 16 numbers of from.map, twice
template <class T>
HONE_INLINE void four_bit_run(const PackedView& from, const float* map, float zero, float scale,
                              std::int64_t first, std::int64_t end, T* out) {
  // Aligned, else loads of it straddle cache lines on some stacks; and all of it written by one
  // loop, as a load of what two stores wrote would wait for both.
  alignas(64) T table[kTable];
  for (std::int64_t i = 0; i < kTable; ++i) table[i] = mapped_value<T>(map[i], zero, scale);
  if (first % 2 == 1) *out++ = table[four_bit_code(from.codes, first++)];
  const std::int64_t bytes = (end - first) / 2;
  look_up(from.codes + first / 2, bytes, table, out);
  if (first + 2 * bytes < end) out[2 * bytes] = table[four_bit_code(from.codes, end - 1)];
}

template <class T>
HONE_INLINE void run(const PackedView& from, const float* map, std::int64_t block,
                     std::int64_t first, std::int64_t end, T* out) {
  const float scale = block_scale(from.scales, block), zero = block_zero(from.zeros, block);
  if (from.kind == PackedCodes::kFourBit) {
    four_bit_run(from, map, zero, scale, first, end, out);
  } else if (from.kind == PackedCodes::kEightBit) {
    for (std::int64_t i = first; i < end; ++i)
      out[i - first] = mapped_value<T>(from.map[from.codes[i]], zero, scale);
  } else {
    const auto* const integers = reinterpret_cast<const std::int8_t*>(from.codes);
    for (std::int64_t i = first; i < end; ++i)
      out[i - first] = integer_value<T>(integers[i], scale);
  }
}

template <class T>
CpuWork cpu_work(const Dequantize<T>& a) {
  return {a.rows, a.columns};
}

template <class T>
HONE_INLINE void cpu_item(const Dequantize<T>& a, std::int64_t row) {
  std::int64_t at = (a.first_row + row) * a.from.columns + a.first_column;
  const std::int64_t end = at + a.columns;
  T* out = a.out + row * a.out_stride;
  alignas(64) float map[kTable];
  if (a.from.kind == PackedCodes::kFourBit)
    for (std::int64_t i = 0; i < kTable; ++i) map[i] = a.from.map[i % (kTable / 2)];
  while (at < end) {
    const std::int64_t block = at / a.from.blocksize;
    const std::int64_t stop = std::min(end, (block + 1) * a.from.blocksize);
    run(a.from, map, block, at, stop, out);
    out += stop - at;
    at = stop;
  }
}

}  // namespace

HONE_CPU_LAUNCHERS(Dequantize)

}  // namespace hone::kernels
