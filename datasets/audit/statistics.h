#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "datasets/audit/corpus.h"

namespace hone::datasets::audit {

/// How a number is spread over rows.
struct Distribution {
  std::string name;  ///< "tokens", "answer tokens", …
  std::int64_t count = 0, least = 0, most = 0;
  double mean = 0;
  std::int64_t p05 = 0, p25 = 0, median = 0, p75 = 0, p95 = 0, p99 = 0;
  /// Equal steps from `least` up to about p99; the last bin takes what is beyond.
  std::vector<std::int64_t> bins;
  std::int64_t bin_width = 1;
};

/// Quantiles are values of rows: the smallest that at least that share is not above.
Distribution describe(std::string name, std::vector<std::int64_t> values);

/// Which of a pair is longer, over all pairs.
struct PairLengths {
  std::int64_t chosen_longer = 0, rejected_longer = 0, equal = 0;

  std::int64_t decided() const { return chosen_longer + rejected_longer; }
  /// Of the decided ones, those whose chosen is longer; one half where there are none.
  double share() const;
  /// Wilson's 95 % interval of the share. @source Wilson (1927), JASA 22
  std::pair<double, double> interval() const;
  /// Two-sided sign test, exact: how likely a share as far from one half is by chance.
  double sign_test() const;
};

/// @param alive of each row: whether it counts
PairLengths pair_lengths(const Corpus& corpus, const std::vector<bool>& alive);

/// The distributions of a corpus that say something: tokens where there is a tokenizer, characters
/// of answers otherwise, and messages a row.
std::vector<Distribution> distributions(const Corpus& corpus);

}  // namespace hone::datasets::audit
