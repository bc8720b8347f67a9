#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace hone::datasets::audit {

// Near duplicates by MinHash with banding. A text is the set of its shingles: runs of kShingleWords
// words. Two texts agree in one MinHash with a probability of their Jaccard similarity J, in one
// band with J^kBandRows, and in some band with 1 - (1 - J^kBandRows)^kBands: 99.8 % at J = 0.8,
// 27 % at 0.5, 1 % at 0.3. Who agrees in a band is compared by the shingles themselves.
// @source Broder, "On the resemblance and containment of documents" (1997); Lee et al.,
//         arXiv:2107.06499, section 4.2
inline constexpr int kShingleWords = 5;
inline constexpr int kBands = 20;
inline constexpr int kBandRows = 6;

/// Distinct shingles as hashes, ascending.
using ShingleSet = std::vector<std::uint64_t>;
/// One hash for each band: 80 bytes of a row.
using Bands = std::array<std::uint32_t, kBands>;

/// @param words as word_hashes gives them; fewer than kShingleWords make one shingle, none none
ShingleSet shingles(std::span<const std::uint64_t> words);

/// @pre the set is not empty
Bands minhash_bands(const ShingleSet& set);

/// Shared shingles over all; 0 where both are empty.
double jaccard(const ShingleSet& a, const ShingleSet& b);

}  // namespace hone::datasets::audit
