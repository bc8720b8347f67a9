#pragma once

#include <array>
#include <cstdint>

#if defined(__CUDACC__)
#define HONE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define HONE_HOST_DEVICE inline
#endif

namespace hone {

/// Four random words for one 128-bit counter and one 64-bit key, with no state: the same arguments
/// give the same words on every machine, thread and device.
/// @source Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32-10
struct Philox {
  std::uint32_t key0, key1;

  HONE_HOST_DEVICE Philox(std::uint64_t key)
      : key0(static_cast<std::uint32_t>(key)), key1(static_cast<std::uint32_t>(key >> 32)) {}

  struct Words {
    std::uint32_t w[4];
  };

  HONE_HOST_DEVICE Words operator()(std::uint64_t counter_low, std::uint64_t counter_high) const {
    std::uint32_t c0 = static_cast<std::uint32_t>(counter_low);
    std::uint32_t c1 = static_cast<std::uint32_t>(counter_low >> 32);
    std::uint32_t c2 = static_cast<std::uint32_t>(counter_high);
    std::uint32_t c3 = static_cast<std::uint32_t>(counter_high >> 32);
    std::uint32_t k0 = key0, k1 = key1;
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = static_cast<std::uint64_t>(0xD2511F53u) * c0;
      const std::uint64_t p1 = static_cast<std::uint64_t>(0xCD9E8D57u) * c2;
      const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<std::uint32_t>(p1);
      c3 = static_cast<std::uint32_t>(p0);
      c0 = n0;
      c2 = n2;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
  }

  /// A number in [0, 1) with 24 random bits.
  HONE_HOST_DEVICE static float uniform(std::uint32_t word) {
    return static_cast<float>(word >> 8) * 5.9604644775390625e-8f;  // 2^-24
  }
};

/// What a stream of random numbers is for. It is part of every counter, so that two uses with the
/// same seed never share numbers. The values are part of a run's identity: append, never renumber.
enum class RandomStream : std::uint64_t {
  kShuffle = 1,
  kAdapterInit = 2,
  kDropout = 3,
  kSampling = 4,
  kDataSample = 5,
  kBootstrap = 6,
  kNeftune = 7,
  kRounding = 8,
};

/// A number in [0, n) that is a bijection of `index` for a given key: a shuffle of n items that
/// costs no memory and can be entered at any place.
/// A Feistel network over the next power of four, walked until it lands inside [0, n).
/// @source Black and Rogaway, "Ciphers with arbitrary finite domains" (CT-RSA 2002)
std::uint64_t permute(std::uint64_t index, std::uint64_t n, std::uint64_t seed,
                      std::uint64_t stream);

}  // namespace hone
