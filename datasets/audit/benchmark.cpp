#include "datasets/audit/benchmark.h"

#include <algorithm>

#include "datasets/audit/words.h"

namespace hone::datasets::audit {
namespace {

std::uint64_t run_hash(std::span<const std::uint64_t> words) {
  std::uint64_t hash = words.size();
  for (const std::uint64_t word : words) hash = mix64(hash + word);
  return hash;
}

}  // namespace

void BenchmarkIndex::add(std::span<const std::uint64_t> words, std::int64_t item) {
  if (words.empty()) return;
  ++texts_;
  if (words.size() < kLeastWords) {
    ++short_texts_;
    return;
  }
  const std::size_t length = std::min<std::size_t>(kRunWords, words.size());
  lengths_.insert(static_cast<int>(length));
  for (std::size_t first = 0; first + length <= words.size(); ++first) {
    const auto [place, is_new] =
        runs_.try_emplace(run_hash(words.subspan(first, length)), Run{item, item, 1});
    if (is_new || place->second.last_item == item) continue;
    place->second.last_item = item;
    ++place->second.items;
  }
}

std::optional<Quotation> BenchmarkIndex::find(std::span<const std::uint64_t> words) const {
  for (std::size_t first = 0; first + kLeastWords <= words.size(); ++first) {
    for (const int length : lengths_) {
      if (first + static_cast<std::size_t>(length) > words.size()) break;
      const auto found =
          runs_.find(run_hash(words.subspan(first, static_cast<std::size_t>(length))));
      if (found != runs_.end() && found->second.items <= kMostItems)
        return Quotation{found->second.first_item, first, length};
    }
  }
  return std::nullopt;
}

}  // namespace hone::datasets::audit
