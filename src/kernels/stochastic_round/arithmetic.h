#pragma once

#include "kernels/number.h"

namespace hone::kernels {

template <class T>
struct StochasticRound {
  const float* x;
  T* y;
  std::int64_t size;
  std::uint64_t seed;
  std::uint64_t counter_high;  // stream and step
  std::uint64_t counter_low;   // tensor, and the group that x begins with
};

/// Elements that share some of Philox's blocks of random words. Each needs 16 bits, so a block of
/// four words is enough for eight of them: element i of these has field i / kRoundGroups of block
/// i % kRoundGroups, so that neighbours come from different blocks, which can be computed side by
/// side.
constexpr std::int64_t kRoundBlock = 2048;
constexpr std::int64_t kRoundFields = 8;
constexpr std::int64_t kRoundGroups = kRoundBlock / kRoundFields;

HONE_HOST_DEVICE std::uint32_t round_bits(std::uint32_t word, std::int64_t field) {
  return field % 2 == 0 ? word & 0xFFFFu : word >> 16;
}

/// One of the two neighbours of x, the nearer one the likelier: the bits that bf16 has no room for
/// are the probability, in 65536ths, of the one further from 0. What bf16 holds exactly stays, and
/// so do infinity and NaN.
/// @param random evenly distributed in [0, 65536)
HONE_HOST_DEVICE Bf16 rounded_by_chance(float x, std::uint32_t random) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const bool is_finite = (bits & 0x7F800000u) != 0x7F800000u;
  const auto chosen = static_cast<std::uint16_t>((bits + random) >> 16);
  return is_finite ? Bf16{chosen} : narrow<Bf16>(x);
}

template <class T>
void launch_cpu(const StochasticRound<T>& args);

}  // namespace hone::kernels
