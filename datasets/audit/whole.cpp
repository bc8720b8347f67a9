#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/audit/checks.h"
#include "datasets/audit/number_formats.h"
#include "datasets/audit/statistics.h"

// Checks that look at the rows as a whole.

namespace hone::datasets::audit {
namespace {

/// A row that counts, or none.
const RowFacts* facts_at(const CorpusScope& scope, std::int64_t row) {
  const auto i = static_cast<std::size_t>(row);
  const RowFacts& facts = scope.train.rows[i];
  return scope.alive[i] && facts.is_readable ? &facts : nullptr;
}

/// Styles of one family that the answers use, and who uses the rarer ones.
Findings find_mixed(const CorpusScope& scope, std::string_view family) {
  const std::span<const NumberStyle> table = number_style_table();
  std::map<std::size_t, std::int64_t> uses;  // of a style: rows
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row) {
    const RowFacts* facts = facts_at(scope, row);
    for (std::size_t style = 0; facts != nullptr && style < table.size(); ++style)
      if (table[style].family == family && (facts->number_styles >> style & 1) != 0) ++uses[style];
  }
  Findings findings;
  if (uses.size() < 2) return findings;
  const auto most = std::max_element(
      uses.begin(), uses.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::uint16_t rarer = 0;
  for (const auto& [style, rows] : uses) {
    findings.note += findings.note.empty() ? fmt::format("{} ({} rows)", table[style].name, rows)
                                           : fmt::format(", {} ({})", table[style].name, rows);
    if (style != most->first) rarer |= static_cast<std::uint16_t>(1u << style);
  }
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row)
    if (const RowFacts* facts = facts_at(scope, row);
        facts != nullptr && (facts->number_styles & rarer) != 0)
      findings.marks.push_back({row});
  return findings;
}

}  // namespace

Findings find_length_limit(const CorpusScope& scope) {
  constexpr std::int64_t kLeastAnswers = 5, kBeneath = 10, kTimes = 10;
  const std::int32_t shortest = scope.train.has_tokens ? 64 : 256;
  std::map<std::int32_t, std::set<std::uint64_t>> answers;  // of each size, each answer once
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row)
    if (const RowFacts* facts = facts_at(scope, row); facts != nullptr && facts->response_size > 0)
      answers[facts->response_size].insert(facts->keys.response);
  Findings findings;
  if (answers.empty() || answers.rbegin()->first < shortest) return findings;
  const std::int32_t limit = answers.rbegin()->first;
  const std::int64_t count = std::ssize(answers.rbegin()->second);
  std::int64_t beneath = 0;
  for (auto size = answers.lower_bound(limit - static_cast<std::int32_t>(kBeneath));
       size->first < limit; ++size)
    beneath += std::ssize(size->second);
  if (count < kLeastAnswers || count * kBeneath < kTimes * std::max(beneath, kBeneath))
    return findings;
  findings.note = fmt::format("{} different answers have exactly {} {}, the most of all", count,
                              limit, scope.train.has_tokens ? "tokens" : "characters");
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row)
    if (const RowFacts* facts = facts_at(scope, row);
        facts != nullptr && facts->response_size == limit)
      findings.marks.push_back({row});
  return findings;
}

Findings find_length_bias(const CorpusScope& scope) {
  constexpr double kShare = 0.6, kSignificance = 0.01;
  const PairLengths lengths = pair_lengths(scope.train, scope.alive);
  Findings findings;
  const bool is_biased = lengths.share() >= kShare || lengths.share() <= 1 - kShare;
  if (lengths.decided() == 0 || !is_biased || lengths.sign_test() >= kSignificance) return findings;
  const bool longer = lengths.share() > 0.5;
  findings.count = longer ? lengths.chosen_longer : lengths.rejected_longer;
  const auto [low, high] = lengths.interval();
  findings.note = fmt::format(
      "chosen is longer in {:.1f} % of {} pairs of unequal length (95 % interval {:.1f} to {:.1f}; "
      "sign test p = {:.1e})",
      100 * lengths.share(), lengths.decided(), 100 * low, 100 * high, lengths.sign_test());
  return findings;
}

Findings find_mixed_thousands(const CorpusScope& scope) { return find_mixed(scope, "thousands"); }
Findings find_mixed_dates(const CorpusScope& scope) { return find_mixed(scope, "date"); }

Findings find_costly_scripts(const CorpusScope& scope) {
  constexpr std::int64_t kLeastCharacters = 1000;
  Findings findings;
  if (!scope.train.has_tokens) return findings;
  for (std::size_t s = 1; s < kScripts; ++s) {
    const ScriptCounts& counts = scope.train.scripts[s];
    if (counts.characters < kLeastCharacters || counts.tokens <= counts.characters) continue;
    findings.count += counts.rows;
    findings.note +=
        fmt::format("{}{} costs {:.2f} tokens a character", findings.note.empty() ? "" : ", ",
                    script_name(static_cast<Script>(s)),
                    static_cast<double>(counts.tokens) / static_cast<double>(counts.characters));
  }
  return findings;
}

}  // namespace hone::datasets::audit
