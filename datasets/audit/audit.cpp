#include "datasets/audit/audit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace hone::datasets::audit {
namespace {

std::vector<Exhibit> exhibits_of(const Findings& found, const CorpusScope& scope) {
  std::vector<Exhibit> exhibits;
  for (const Mark& mark : found.marks) {
    if (exhibits.size() == kExhibits) break;
    exhibits.push_back({mark.row, scope.train.place(mark.row), describe(mark, scope), ""});
  }
  return exhibits;
}

std::vector<Finding> find_all(const CorpusScope& scope) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < checks().size(); ++i) {
    const Check& check = checks()[i];
    const Findings found = find(check, scope);
    if (found.count == 0) continue;
    findings.push_back(
        {&check, found.count,
         static_cast<double>(found.count) / static_cast<double>(scope.train.rows.size()),
         found.note,
         check.in_row != nullptr ? scope.train.exhibits[i] : exhibits_of(found, scope)});
  }
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    if (a.check->severity != b.check->severity) return a.check->severity < b.check->severity;
    return a.count > b.count;
  });
  return findings;
}

void refuse_unreadable(const Corpus& corpus) {
  HONE_CHECK(DataError, !corpus.rows.empty(), "{}: no rows", fmt::join(corpus.input.files, ", "));
  const bool any = std::any_of(corpus.rows.begin(), corpus.rows.end(),
                               [](const RowFacts& facts) { return facts.is_readable; });
  if (any) return;
  const auto unreadable = std::find_if(corpus.exhibits.begin(), corpus.exhibits.end(),
                                       [](const auto& rows) { return !rows.empty(); });
  throw DataError(fmt::format("no row of {} can be read; the first: {}",
                              fmt::join(corpus.input.files, ", "), unreadable->front().found));
}

void count(const Corpus& corpus, const std::vector<bool>& all, Report& report) {
  report.files = corpus.input.files;
  report.rows = std::ssize(corpus.rows);
  for (const RowFacts& facts : corpus.rows)
    if (facts.is_readable) ++report.kinds[facts.kind];
  report.distributions = distributions(corpus);
  report.scripts = corpus.scripts;
  report.has_tokens = corpus.has_tokens;
  report.pairs = pair_lengths(corpus, all);
}

}  // namespace

Evidence::Evidence(const AuditInput& input)
    : benchmark(read_benchmark(input.benchmark, benchmark_places)) {
  lookups.tokenizer = input.tokenizer;
  if (!input.eval.empty()) {
    eval = read_corpus({input.eval, input.train.format, input.train.threads, input.train.columns},
                       lookups);
    refuse_unreadable(*eval);
  }
  if (!input.benchmark.empty()) lookups.benchmark = &benchmark;
  lookups.benchmark_places = &benchmark_places;
  train = read_corpus(input.train, lookups);
  refuse_unreadable(train);
}

CorpusScope Evidence::scope(const std::vector<bool>& alive) const {
  return {train, eval ? &*eval : nullptr, lookups, alive};
}

Report audit(const AuditInput& input) {
  const Evidence evidence(input);
  const std::vector<bool> all(evidence.train.rows.size(), true);
  Report report;
  count(evidence.train, all, report);
  report.eval = input.eval;
  report.eval_rows = evidence.eval ? std::ssize(evidence.eval->rows) : 0;
  report.benchmark = input.benchmark;
  report.benchmark_texts = evidence.benchmark.texts();
  report.short_benchmark_texts = evidence.benchmark.short_texts();
  report.findings = find_all(evidence.scope(all));
  std::vector<Exhibit*> unquoted;
  for (Finding& finding : report.findings)
    for (Exhibit& exhibit : finding.exhibits)
      if (finding.check->in_corpus != nullptr) unquoted.push_back(&exhibit);
  quote(evidence.train.input, input.tokenizer, unquoted);
  return report;
}

}  // namespace hone::datasets::audit
