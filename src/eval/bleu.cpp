#include "eval/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "eval/words.h"

namespace hone::eval {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_stop(char c) { return c == '.' || c == ','; }

/// ASCII that is neither letter, digit nor control character, but for ' , - and . — and the blank,
/// which cuts anyway.
bool is_mark(char c) {
  const bool is_printable = c > ' ' && c <= '~';
  const bool is_word = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_printable && !is_word && c != '\'' && c != '-' && !is_stop(c);
}

/// Puts `replace(first, second)` in the place of each pair of bytes that `is_match` takes, from
/// left to right, none of them twice.
///
/// A pair of characters in a regular expression is a pair of bytes here: one of the two is ASCII,
/// and the byte of the other one that touches it is as little a digit or a stop as the whole.
template <class Match, class Replace>
std::string replace_pairs(const std::string& text, Match is_match, Replace replace) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && is_match(text[i], text[i + 1])) {
      result += replace(text[i], text[i + 1]);
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string set_marks_apart(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (is_mark(c)) {
      result += {' ', c, ' '};
    } else {
      result += c;
    }
  }
  return result;
}

using Counts = std::map<std::vector<std::string>, int>;

Counts count_ngrams(const std::vector<std::string>& tokens, std::size_t n) {
  Counts counts;
  for (std::size_t i = 0; i + n <= tokens.size(); ++i)
    ++counts[{tokens.begin() + std::ptrdiff_t(i), tokens.begin() + std::ptrdiff_t(i + n)}];
  return counts;
}

}  // namespace

std::vector<std::string> tokenize_13a(std::string_view text) {
  std::string line = blanks_for_spaces(text, /*keep_newlines=*/true);
  line.resize(line.find_last_not_of(" \n") + 1);
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  replace_all(line, "\n", " ");
  replace_all(line, "&quot;", "\"");
  replace_all(line, "&amp;", "&");
  replace_all(line, "&lt;", "<");
  replace_all(line, "&gt;", ">");

  line = set_marks_apart(" " + line + " ");
  line = replace_pairs(
      line, [](char a, char b) { return !is_digit(a) && is_stop(b); },
      [](char a, char b) {
        return std::string{a, ' ', b, ' '};
      });
  line = replace_pairs(
      line, [](char a, char b) { return is_stop(a) && !is_digit(b); },
      [](char a, char b) {
        return std::string{' ', a, ' ', b};
      });
  line = replace_pairs(
      line, [](char a, char b) { return is_digit(a) && b == '-'; },
      [](char a, char b) {
        return std::string{a, ' ', b, ' '};
      });
  return words_of(line);
}

BleuStatistics bleu_statistics(std::string_view answer, std::string_view reference) {
  const std::vector<std::string> given = tokenize_13a(answer), expected = tokenize_13a(reference);
  BleuStatistics sums{};
  for (std::size_t n = 1; n <= kBleuOrder; ++n) {
    const Counts of_expected = count_ngrams(expected, n);
    for (const auto& [ngram, count] : count_ngrams(given, n)) {
      const auto found = of_expected.find(ngram);
      if (found != of_expected.end()) sums[n - 1] += std::min(count, found->second);
      sums[kBleuOrder + n - 1] += count;
    }
  }
  sums[2 * kBleuOrder] = double(given.size());
  sums[2 * kBleuOrder + 1] = double(expected.size());
  return sums;
}

double bleu_score(std::span<const double, kBleuSums> sums) {
  const auto correct = sums.first<kBleuOrder>();
  const auto total = sums.subspan<kBleuOrder, kBleuOrder>();
  const double given = sums[2 * kBleuOrder], expected = sums[2 * kBleuOrder + 1];
  if (std::ranges::all_of(correct, [](double count) { return count == 0; })) return 0;
  double smoothing = 1, log_precision = 0;
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    if (total[n] == 0) return 0;  // no row is long enough to have such an n-gram
    if (correct[n] == 0) smoothing *= 2;
    const double matches = correct[n] == 0 ? 1 / smoothing : correct[n];
    log_precision += std::log(100 * matches / total[n]) / kBleuOrder;
  }
  const double brevity = given < expected ? std::exp(1 - expected / given) : 1;
  return brevity * std::exp(log_precision);
}

}  // namespace hone::eval
