#include <unordered_map>
#include <unordered_set>

#include "datasets/audit/checks.h"
#include "datasets/audit/near_index.h"

namespace hone::datasets::audit {
namespace {

struct KeyHash {
  std::size_t operator()(const ContentKey& key) const { return key[0]; }
};

bool is_there(const CorpusScope& scope, std::int64_t row) {
  const auto i = static_cast<std::size_t>(row);
  return scope.alive[i] && scope.train.rows[i].is_readable;
}

/// The bands of the rows that have words and that `use` takes.
template <class Use>
void append_bands(const Corpus& corpus, std::vector<const Bands*>& bands, Use use) {
  for (std::size_t row = 0; row < corpus.rows.size(); ++row)
    if (corpus.rows[row].has_words && use(row)) bands.push_back(&corpus.bands[row]);
}

/// Reads those rows again that share a band with another one, in order.
/// @param visit (row's index, bands, shingles)
template <class Use, class Visit>
void visit_candidates(const Corpus& corpus, const SharedBands& shared, const Lookups& lookups,
                      Use use, Visit visit) {
  std::vector<ShingleSet> sets(kBlockRows);
  const auto bands = [&](std::int64_t row) -> const Bands& {
    return corpus.bands[static_cast<std::size_t>(row)];
  };
  for_each_row(corpus.input, {.wants =
                                  [&](std::int64_t row) {
                                    const auto i = static_cast<std::size_t>(row);
                                    return i < corpus.rows.size() && corpus.rows[i].has_words &&
                                           use(i) && !shared.of(bands(row)).empty();
                                  },
                              .work =
                                  [&](InputRow& row, std::size_t place) {
                                    sets[place].clear();
                                    if (row.record)
                                      sets[place] = shingles(
                                          content_words(row_text(*row.record, lookups.tokenizer)));
                                  },
                              .take =
                                  [&](InputRow& row, std::size_t place) {
                                    if (!sets[place].empty())
                                      visit(row.index, bands(row.index), std::move(sets[place]));
                                  }});
}

}  // namespace

Findings find_exact_duplicates(const CorpusScope& scope) {
  Findings findings;
  std::unordered_map<ContentKey, std::int64_t, KeyHash> first;
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row) {
    if (!is_there(scope, row)) continue;
    const auto [place, is_new] =
        first.try_emplace(scope.train.rows[static_cast<std::size_t>(row)].keys.content, row);
    if (!is_new) findings.marks.push_back({row, place->second, false, 1.0});
  }
  return findings;
}

Findings find_near_duplicates(const CorpusScope& scope) {
  // Exact ones have a check of their own; here only the first of each is looked at.
  std::vector<bool> use(scope.train.rows.size());
  std::unordered_set<ContentKey, KeyHash> seen;
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row) {
    const auto i = static_cast<std::size_t>(row);
    use[i] = is_there(scope, row) && seen.insert(scope.train.rows[i].keys.content).second;
  }
  const auto is_used = [&](std::size_t row) { return use[row]; };
  std::vector<const Bands*> bands;
  append_bands(scope.train, bands, is_used);
  const SharedBands shared(bands);
  Findings findings;
  if (shared.size() == 0) return findings;
  NearIndex index(shared);
  visit_candidates(scope.train, shared, scope.lookups, is_used,
                   [&](std::int64_t row, const Bands& own, ShingleSet set) {
                     if (const auto found = index.find(own, set)) {
                       findings.marks.push_back({row, found->row, false, found->similarity});
                     } else {
                       index.add(row, own, std::move(set));
                     }
                   });
  return findings;
}

Findings find_eval_leaks(const CorpusScope& scope) {
  Findings findings;
  if (scope.eval == nullptr) return findings;
  std::unordered_map<ContentKey, std::int64_t, KeyHash> contents;
  std::unordered_map<std::uint64_t, std::int64_t> prompts;
  for (std::int64_t row = 0; row < std::ssize(scope.eval->rows); ++row) {
    const RowFacts& facts = scope.eval->rows[static_cast<std::size_t>(row)];
    if (!facts.is_readable) continue;
    contents.try_emplace(facts.keys.content, row);
    if (facts.keys.prompt != 0) prompts.try_emplace(facts.keys.prompt, row);
  }
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row) {
    if (!is_there(scope, row)) continue;
    const RowKeys& keys = scope.train.rows[static_cast<std::size_t>(row)].keys;
    if (const auto same = contents.find(keys.content); same != contents.end()) {
      findings.marks.push_back({row, same->second, true, 1.0});
    } else if (const auto asked = prompts.find(keys.prompt); asked != prompts.end()) {
      findings.marks.push_back({row, asked->second, true, 1.0});
    }
  }
  return findings;
}

Findings find_near_eval_leaks(const CorpusScope& scope) {
  Findings findings;
  if (scope.eval == nullptr) return findings;
  std::vector<bool> use(scope.train.rows.size());
  for (std::int64_t row = 0; row < std::ssize(scope.train.rows); ++row)
    use[static_cast<std::size_t>(row)] = is_there(scope, row);
  for (const Mark& leak : find_eval_leaks(scope).marks)
    use[static_cast<std::size_t>(leak.row)] = false;
  const auto is_used = [&](std::size_t row) { return use[row]; };
  const auto all = [](std::size_t) { return true; };
  std::vector<const Bands*> bands;
  append_bands(*scope.eval, bands, all);
  append_bands(scope.train, bands, is_used);
  const SharedBands shared(bands);
  if (shared.size() == 0) return findings;
  NearIndex index(shared);
  visit_candidates(*scope.eval, shared, scope.lookups, all,
                   [&](std::int64_t row, const Bands& own, ShingleSet set) {
                     index.add(row, own, std::move(set));
                   });
  visit_candidates(scope.train, shared, scope.lookups, is_used,
                   [&](std::int64_t row, const Bands& own, const ShingleSet& set) {
                     if (const auto found = index.find(own, set))
                       findings.marks.push_back({row, found->row, true, found->similarity});
                   });
  return findings;
}

}  // namespace hone::datasets::audit
