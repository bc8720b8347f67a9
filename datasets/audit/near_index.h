#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "datasets/audit/minhash.h"

namespace hone::datasets::audit {

/// Jaccard similarity of shingles from which two rows are near duplicates (Lee et al. use the
/// same).
inline constexpr double kNearDuplicate = 0.8;

/// The nearest row found, and how near.
struct Neighbour {
  std::int64_t row;
  double similarity;
};

/// Band hashes that at least two rows share; all others can be passed over.
class SharedBands {
 public:
  /// @param bands of every row; what is null has no words
  explicit SharedBands(std::span<const Bands* const> bands);

  /// Places among the shared hashes of those that these bands have.
  std::vector<std::size_t> of(const Bands& bands) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::vector<std::uint64_t> keys_;  // band << 32 | hash, ascending
};

/// Finds earlier rows that are nearly the same. Memory: the shingles of the rows that were added,
/// 8 bytes each, and 4 bytes for every shared band of theirs.
class NearIndex {
 public:
  /// Rows of one band that a row is compared with: the latest. A band of rows that are all alike is
  /// thinned by who adds only what `find` does not find; this bounds what is left.
  static constexpr std::size_t kMostCompared = 128;

  explicit NearIndex(const SharedBands& shared) : shared_(shared), members_(shared.size()) {}

  /// The added row of the largest similarity, the earliest among equals; none below `least`.
  std::optional<Neighbour> find(const Bands& bands, const ShingleSet& set,
                                double least = kNearDuplicate) const;
  void add(std::int64_t row, const Bands& bands, ShingleSet set);

 private:
  struct Added {
    std::int64_t row;
    ShingleSet set;
  };

  const SharedBands& shared_;
  std::vector<Added> added_;
  std::vector<std::vector<std::uint32_t>> members_;  // of each shared band: places in added_
};

}  // namespace hone::datasets::audit
