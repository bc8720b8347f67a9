#include "datasets/audit/near_index.h"

#include <algorithm>

namespace hone::datasets::audit {
namespace {

std::uint64_t key_of(std::size_t band, std::uint32_t hash) {
  return std::uint64_t{band} << 32 | hash;
}

}  // namespace

SharedBands::SharedBands(std::span<const Bands* const> bands) {
  std::vector<std::uint32_t> hashes;
  for (std::size_t band = 0; band < kBands; ++band) {
    hashes.clear();
    for (const Bands* row : bands)
      if (row != nullptr) hashes.push_back((*row)[band]);
    std::sort(hashes.begin(), hashes.end());
    for (std::size_t i = 1; i < hashes.size(); ++i) {
      if (hashes[i] != hashes[i - 1]) continue;
      const std::uint64_t key = key_of(band, hashes[i]);
      if (keys_.empty() || keys_.back() != key) keys_.push_back(key);
    }
  }
}

std::vector<std::size_t> SharedBands::of(const Bands& bands) const {
  std::vector<std::size_t> places;
  for (std::size_t band = 0; band < kBands; ++band) {
    const std::uint64_t key = key_of(band, bands[band]);
    const auto found = std::lower_bound(keys_.begin(), keys_.end(), key);
    if (found != keys_.end() && *found == key)
      places.push_back(static_cast<std::size_t>(found - keys_.begin()));
  }
  return places;
}

std::optional<Neighbour> NearIndex::find(const Bands& bands, const ShingleSet& set,
                                         double least) const {
  std::vector<std::uint32_t> candidates;
  for (const std::size_t place : shared_.of(bands)) {
    const std::vector<std::uint32_t>& members = members_[place];
    const std::size_t count = std::min(members.size(), kMostCompared);
    candidates.insert(candidates.end(), members.end() - static_cast<std::ptrdiff_t>(count),
                      members.end());
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  std::optional<Neighbour> nearest;
  for (const std::uint32_t candidate : candidates) {
    const Added& added = added_[candidate];
    // The smaller set over the larger bounds J from above.
    const auto [small, large] = std::minmax({added.set.size(), set.size()});
    if (static_cast<double>(small) < least * static_cast<double>(large)) continue;
    const double similarity = jaccard(added.set, set);
    if (similarity >= least && (!nearest || similarity > nearest->similarity))
      nearest = Neighbour{added.row, similarity};
  }
  return nearest;
}

void NearIndex::add(std::int64_t row, const Bands& bands, ShingleSet set) {
  const auto place = static_cast<std::uint32_t>(added_.size());
  for (const std::size_t shared : shared_.of(bands)) members_[shared].push_back(place);
  added_.push_back({row, std::move(set)});
}

}  // namespace hone::datasets::audit
