#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hone::datasets::audit {

/// A text of a benchmark that a row quotes.
struct Quotation {
  std::int64_t item;       ///< as given to BenchmarkIndex::add
  std::size_t first_word;  ///< of the row's words: where the shared run begins
  int words;               ///< its length
};

/// Finds rows that quote a benchmark: they share a run of 13 words with it. A benchmark's text of 8
/// to 12 words is looked for whole; a shorter one says too little and is only counted. Runs in more
/// than 10 items are the benchmark's own phrases ("Answer the following question …"), not content.
/// @source Brown et al., arXiv:2005.14165, appendix C (13-grams; N between 8 and 13; frequent
///         n-grams left out)
class BenchmarkIndex {
 public:
  static constexpr int kRunWords = 13;
  static constexpr int kLeastWords = 8;
  static constexpr std::uint32_t kMostItems = 10;

  /// @param item a number that Quotation gives back; the texts of one item come one after another
  void add(std::span<const std::uint64_t> words, std::int64_t item);

  /// The first run of `words` that is a benchmark's.
  std::optional<Quotation> find(std::span<const std::uint64_t> words) const;

  std::int64_t texts() const { return texts_; }
  std::int64_t short_texts() const { return short_texts_; }

 private:
  struct Run {
    std::int64_t first_item, last_item;
    std::uint32_t items;
  };

  std::unordered_map<std::uint64_t, Run> runs_;
  std::set<int> lengths_;  // of the runs, in words
  std::int64_t texts_ = 0, short_texts_ = 0;
};

}  // namespace hone::datasets::audit
