#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::eval {

inline constexpr std::size_t kBleuOrder = 4;
inline constexpr std::size_t kBleuSums = 2 * kBleuOrder + 2;

/// What a row adds to a corpus: n-grams that the answer shares with the reference, for n from 1 to
/// 4; n-grams of the answer; tokens of the answer; tokens of the reference.
using BleuStatistics = std::array<double, kBleuSums>;

/// Words and marks of a text as mteval-v13a cuts it. @param text valid UTF-8
/// @source sacrebleu 2.5.1, tokenizer "13a"; each of its rules is restated in bleu.cpp
std::vector<std::string> tokenize_13a(std::string_view text);

BleuStatistics bleu_statistics(std::string_view answer, std::string_view reference);

/// BLEU of a corpus, 0 to 100, from the sum of its rows' statistics, with one reference a row.
/// @source Papineni et al., ACL 2002; smoothing: Chen and Cherry, WMT 2014, method 3 ("exp"), as
///         sacrebleu 2.5.1
double bleu_score(std::span<const double, kBleuSums> sums);

}  // namespace hone::eval
