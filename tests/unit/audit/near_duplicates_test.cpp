#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/philox.h"
#include "datasets/audit/near_index.h"
#include "datasets/audit/words.h"

namespace hone::datasets::audit {
namespace {

/// A seeded stream of numbers.
struct Numbers {
  Philox random;
  std::uint64_t next = 0;
  std::uint64_t operator()(std::uint64_t below) { return random(next++, 7).w[0] % below; }
};

using Words = std::vector<std::uint64_t>;

/// Texts of 60 to 120 words in families: each member is its family's first with some words changed,
/// so similarities run from 0 to 1.
std::vector<Words> synthetic_rows(std::size_t families, std::size_t members) {
  Numbers number{Philox(11)};
  std::vector<Words> rows;
  for (std::size_t f = 0; f < families; ++f) {
    Words first(60 + number(61));
    for (std::uint64_t& word : first) word = mix64(1 + number(50'000));
    rows.push_back(first);
    for (std::size_t m = 1; m < members; ++m) {
      Words changed = first;
      const std::uint64_t changes = number(6);
      for (std::uint64_t c = 0; c < changes; ++c)
        changed[number(changed.size())] = mix64(100'000 + number(1'000'000));
      rows.push_back(changed);
    }
  }
  return rows;
}

/// The second implementation: sets of shingles as the words themselves, every pair compared.
double brute_jaccard(const Words& a, const Words& b) {
  const auto all = [](const Words& words) {
    std::set<Words> set;
    for (std::size_t i = 0; i + kShingleWords <= words.size(); ++i)
      set.emplace(words.begin() + std::ptrdiff_t(i),
                  words.begin() + std::ptrdiff_t(i + kShingleWords));
    return set;
  };
  const auto x = all(a), y = all(b);
  std::vector<Words> shared;
  std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(shared));
  return double(shared.size()) / double(x.size() + y.size() - shared.size());
}

struct Indexed {
  std::vector<ShingleSet> sets;
  std::vector<Bands> bands;

  explicit Indexed(const std::vector<Words>& rows) {
    for (const Words& words : rows) {
      sets.push_back(shingles(words));
      bands.push_back(minhash_bands(sets.back()));
    }
  }
  SharedBands shared() const {
    std::vector<const Bands*> all;
    for (const Bands& b : bands) all.push_back(&b);
    return SharedBands(all);
  }
};

TEST(NearDuplicates, JaccardAgreesWithSetsOfTheWordsThemselves) {
  const std::vector<Words> rows = synthetic_rows(20, 5);
  const Indexed indexed(rows);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_DOUBLE_EQ(jaccard(indexed.sets[i], indexed.sets[j]), brute_jaccard(rows[i], rows[j]));
}

TEST(NearDuplicates, EveryRowWithAnEarlierNeighbourIsFoundAndNoOther) {
  const std::vector<Words> rows = synthetic_rows(60, 8);
  const Indexed indexed(rows);
  const SharedBands shared = indexed.shared();
  NearIndex index(shared);
  std::int64_t expected = 0, missed = 0, wrong = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double nearest = 0;
    for (std::size_t j = 0; j < i; ++j)
      nearest = std::max(nearest, brute_jaccard(rows[i], rows[j]));
    const auto found = index.find(indexed.bands[i], indexed.sets[i]);
    if (found) {
      EXPECT_DOUBLE_EQ(found->similarity,
                       brute_jaccard(rows[i], rows[static_cast<std::size_t>(found->row)]));
    }
    expected += nearest >= kNearDuplicate;
    missed += nearest >= kNearDuplicate && !found;
    wrong += nearest < kNearDuplicate && found.has_value();
    index.add(static_cast<std::int64_t>(i), indexed.bands[i], indexed.sets[i]);
  }
  EXPECT_EQ(wrong, 0) << "what is found is verified";
  ASSERT_GT(expected, 100);
  // 99.8 % at the threshold itself, more above it.
  EXPECT_LE(missed, expected / 100) << "of " << expected;
  RecordProperty("expected", static_cast<int>(expected));
  RecordProperty("missed", static_cast<int>(missed));
}

TEST(NearDuplicates, BandsAreSharedAsOftenAsTheoryHasIt) {
  // Pairs of sets with a known Jaccard similarity: s shared numbers, d of each alone.
  Numbers number{Philox(5)};
  for (const auto& [shared_count, alone, similarity] :
       {std::tuple{80, 10, 0.8}, std::tuple{100, 50, 0.5}, std::tuple{60, 70, 0.3}}) {
    int pairs = 2000, agreeing = 0;
    for (int pair = 0; pair < pairs; ++pair) {
      ShingleSet a, b;
      for (int i = 0; i < shared_count; ++i)
        a.push_back(mix64(number(1u << 31) << 20 | unsigned(i)));
      b = a;
      for (int i = 0; i < alone; ++i) {
        a.push_back(mix64(number(1u << 31) << 22 | unsigned(i)));
        b.push_back(mix64(number(1u << 31) << 24 | unsigned(i)));
      }
      const Bands x = minhash_bands(a), y = minhash_bands(b);
      bool any = false;
      for (int band = 0; band < kBands; ++band) any |= x[std::size_t(band)] == y[std::size_t(band)];
      agreeing += any;
    }
    const double expected = 1 - std::pow(1 - std::pow(similarity, kBandRows), kBands);
    const double deviation = std::sqrt(expected * (1 - expected) / pairs);
    EXPECT_NEAR(double(agreeing) / pairs, expected, 4 * deviation + 0.01) << similarity;
  }
}

TEST(NearDuplicates, ShortTextsAreOneShingle) {
  EXPECT_EQ(shingles(word_hashes("two words")).size(), 1u);
  EXPECT_EQ(shingles(word_hashes("")).size(), 0u);
  EXPECT_EQ(shingles(word_hashes("a b c d e f")).size(), 2u);
  EXPECT_EQ(jaccard({}, {}), 0.0);
}

}  // namespace
}  // namespace hone::datasets::audit
