#include "base/philox.h"

#include "base/error.h"

namespace hone {

std::uint64_t permute(std::uint64_t index, std::uint64_t n, std::uint64_t seed,
                      std::uint64_t stream) {
  HONE_ASSERT(index < n, "index {} of {}", index, n);
  unsigned half_bits = 1;
  while (half_bits < 32 && (std::uint64_t{1} << (2 * half_bits)) < n) ++half_bits;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  const Philox random(seed);
  std::uint64_t value = index;
  do {
    std::uint64_t left = value >> half_bits;
    std::uint64_t right = value & mask;
    for (std::uint64_t round = 0; round < 6; ++round) {
      const std::uint64_t mixed = random(right | (round << 60), stream).w[0] & mask;
      const std::uint64_t next = left ^ mixed;
      left = right;
      right = next;
    }
    value = (left << half_bits) | right;
  } while (value >= n);
  return value;
}

}  // namespace hone
