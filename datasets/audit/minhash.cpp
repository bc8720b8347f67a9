#include "datasets/audit/minhash.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/philox.h"
#include "datasets/audit/words.h"

namespace hone::datasets::audit {
namespace {

constexpr std::size_t kHashes = std::size_t{kBands} * kBandRows;
// Any constant does; another one makes other bands.
constexpr std::uint64_t kSeed = 0x486F6E65;

/// x -> (a x + b) >> 32 for odd a, which is universal for shingle hashes spread over 64 bits.
/// @source Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem"
///         (1997)
struct Hashes {
  std::array<std::uint64_t, kHashes> a, b;

  Hashes() {
    const Philox random(kSeed);
    for (std::size_t k = 0; k < kHashes; ++k) {
      const Philox::Words words = random(k, 0);
      a[k] = (std::uint64_t{words.w[0]} << 32 | words.w[1]) | 1;
      b[k] = std::uint64_t{words.w[2]} << 32 | words.w[3];
    }
  }
};

}  // namespace

ShingleSet shingles(std::span<const std::uint64_t> words) {
  ShingleSet set;
  if (words.empty()) return set;
  const std::size_t length = std::min<std::size_t>(kShingleWords, words.size());
  set.reserve(words.size() - length + 1);
  for (std::size_t first = 0; first + length <= words.size(); ++first) {
    std::uint64_t hash = length;
    for (const std::uint64_t word : words.subspan(first, length)) hash = mix64(hash + word);
    set.push_back(hash);
  }
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

Bands minhash_bands(const ShingleSet& set) {
  HONE_ASSERT(!set.empty());
  static const Hashes hashes;
  std::array<std::uint32_t, kHashes> least;
  least.fill(std::numeric_limits<std::uint32_t>::max());
  for (const std::uint64_t shingle : set) {
    for (std::size_t k = 0; k < kHashes; ++k)
      least[k] = std::min(least[k],
                          static_cast<std::uint32_t>((hashes.a[k] * shingle + hashes.b[k]) >> 32));
  }
  Bands bands;
  for (std::size_t band = 0; band < kBands; ++band) {
    std::uint64_t hash = band;
    for (std::size_t k = 0; k < kBandRows; ++k) hash = mix64(hash + least[band * kBandRows + k]);
    bands[band] = static_cast<std::uint32_t>(hash >> 32);
  }
  return bands;
}

double jaccard(const ShingleSet& a, const ShingleSet& b) {
  std::size_t shared = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (*i == *j) ++shared;
    const bool step_i = *i <= *j, step_j = *j <= *i;
    i += step_i;
    j += step_j;
  }
  const std::size_t all = a.size() + b.size() - shared;
  return all == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(all);
}

}  // namespace hone::datasets::audit
