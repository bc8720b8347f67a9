#include <algorithm>
#include <unordered_map>

#include "datasets/audit/checks.h"
#include "datasets/audit/words.h"

namespace hone::datasets::audit {
namespace {

const RowFacts& facts_of(const CorpusScope& scope, std::int64_t row) {
  return scope.train.rows[static_cast<std::size_t>(row)];
}

/// Readable rows that are alive, and that `use` takes.
template <class Use>
std::vector<std::int64_t> select(const CorpusScope& scope, Use use) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row) {
    const RowFacts& facts = facts_of(scope, row);
    if (scope.alive[static_cast<std::size_t>(row)] && facts.is_readable && use(facts))
      rows.push_back(row);
  }
  return rows;
}

void sort(Findings& findings) {
  std::sort(findings.marks.begin(), findings.marks.end(),
            [](const Mark& a, const Mark& b) { return a.row < b.row; });
}

/// Marks both rows of every contradiction: rows of one `group` whose `side` differs from that of
/// the group's first row, and that first row.
template <class Group, class Side>
Findings contradictions(const std::vector<std::int64_t>& rows, Group group, Side side) {
  struct First {
    std::int64_t row;
    std::int64_t other = -1;  // the first that contradicts it
  };
  std::unordered_map<std::uint64_t, First> firsts;
  Findings findings;
  // A first row that agrees with others is marked with them as soon as one contradicts.
  std::unordered_map<std::uint64_t, std::vector<std::int64_t>> agreeing;
  for (const std::int64_t row : rows) {
    const auto [place, is_new] = firsts.try_emplace(group(row), First{row});
    if (is_new) continue;
    First& first = place->second;
    if (side(row) == side(first.row)) {
      agreeing[place->first].push_back(row);
      continue;
    }
    if (first.other < 0) {
      findings.marks.push_back({first.row, row});
      first.other = row;
    }
    findings.marks.push_back({row, first.row});
  }
  for (const auto& [key, more] : agreeing) {
    const std::int64_t other = firsts.at(key).other;
    if (other < 0) continue;
    for (const std::int64_t row : more) findings.marks.push_back({row, other});
  }
  sort(findings);
  return findings;
}

}  // namespace

Findings find_conflicting_answers(const CorpusScope& scope) {
  const auto rows = select(scope, [](const RowFacts& facts) {
    const bool answers =
        facts.kind == RecordKind::kConversation || facts.kind == RecordKind::kCompletion;
    return answers && facts.keys.prompt != 0 && facts.keys.response != 0;
  });
  return contradictions(
      rows, [&](std::int64_t row) { return facts_of(scope, row).keys.prompt; },
      [&](std::int64_t row) { return facts_of(scope, row).keys.response; });
}

Findings find_conflicting_labels(const CorpusScope& scope) {
  const auto pairs = select(scope, [](const RowFacts& facts) {
    return facts.kind == RecordKind::kPreference && facts.keys.response != facts.keys.rejected;
  });
  // The same two answers to the same prompt, whichever way round.
  Findings findings = contradictions(
      pairs,
      [&](std::int64_t row) {
        const RowKeys& keys = facts_of(scope, row).keys;
        const auto [low, high] = std::minmax({keys.response, keys.rejected});
        return mix64(mix64(keys.prompt + low) + high);
      },
      [&](std::int64_t row) { return facts_of(scope, row).keys.response; });

  const auto labelled = select(
      scope, [](const RowFacts& facts) { return facts.label >= 0 && facts.keys.response != 0; });
  const Findings more = contradictions(
      labelled,
      [&](std::int64_t row) {
        const RowKeys& keys = facts_of(scope, row).keys;
        return mix64(keys.prompt + mix64(keys.response));
      },
      [&](std::int64_t row) { return facts_of(scope, row).label; });
  findings.marks.insert(findings.marks.end(), more.marks.begin(), more.marks.end());
  sort(findings);
  return findings;
}

}  // namespace hone::datasets::audit
