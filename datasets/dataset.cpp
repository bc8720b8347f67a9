#include "datasets/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace hone::datasets {
namespace {

class RowsInMemory : public RowStore {
 public:
  RowsInMemory(std::vector<Example> examples, std::vector<std::int32_t> stop_ids)
      : examples_(std::move(examples)), stop_ids_(std::move(stop_ids)) {}
  Example example(std::int64_t i) const override { return at(i); }
  RowFacts facts(std::int64_t i) const override { return facts_of(at(i), stop_ids_); }

 private:
  const Example& at(std::int64_t i) const { return examples_[static_cast<std::size_t>(i)]; }

  std::vector<Example> examples_;
  std::vector<std::int32_t> stop_ids_;
};

}  // namespace

void CountedRows::add(const CountedRows& more) {
  if (rows == 0) first = more.first;
  rows += more.rows;
}

void RowCounts::add(const RowCounts& more) {
  read += more.read;
  rendered += more.rendered;
  dropped_overlong += more.dropped_overlong;
  truncated += more.truncated;
  split += more.split;
  longest = std::max(longest, more.longest);
  desirable += more.desirable;
  undesirable += more.undesirable;
  for (std::size_t kind = 0; kind < changes.size(); ++kind) changes[kind].add(more.changes[kind]);
  for (std::size_t flaw = 0; flaw < flawed.size(); ++flaw) flawed[flaw].add(more.flawed[flaw]);
}

Dataset::Dataset(DatasetInfo info, RowTotals totals, std::vector<std::int64_t> lengths,
                 std::shared_ptr<const RowStore> rows)
    : contents_(std::make_shared<const Contents>(
          Contents{std::move(info), totals, std::move(lengths), std::move(rows)})) {}

Example Dataset::example(std::int64_t i) const {
  HONE_ASSERT(i >= 0 && i < size(), "row {} of {}", i, size());
  return contents_->rows->example(i);
}

RowFacts Dataset::facts(std::int64_t i) const {
  HONE_ASSERT(i >= 0 && i < size(), "row {} of {}", i, size());
  return contents_->rows->facts(i);
}

std::string Dataset::where(std::int64_t i) const {
  const RowFacts row = facts(i);
  return fmt::format("{}:{}", info().files.at(static_cast<std::size_t>(row.file)), row.row);
}

std::string content_hash(const std::vector<std::string>& file_hashes) {
  if (file_hashes.size() == 1) return file_hashes.front();
  Sha256 hash;
  for (const std::string& file_hash : file_hashes) hash.update(file_hash).update("\n");
  return hash.hex();
}

Dataset in_memory(DatasetInfo info, std::vector<Example> examples) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(examples.size());
  RowTotals totals;
  for (const Example& example : examples) {
    lengths.push_back(example.length());
    totals.add(facts_of(example, info.stop_ids));
  }
  auto rows = std::make_shared<const RowsInMemory>(std::move(examples), info.stop_ids);
  return {std::move(info), totals, std::move(lengths), std::move(rows)};
}

std::vector<std::string> describe_changes(const RowCounts& counts) {
  constexpr std::array<std::string_view, kTemplateChangeKinds> kKinds = {
      "leaves something of the messages out", "prints something of the messages in part or changed",
      "takes white space off the messages' ends"};
  std::vector<std::string> lines;
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    const CountedRows& count = counts.changes[kind];
    if (count.rows == 0) continue;
    lines.push_back(fmt::format("the chat template {} in {} of {} rows; the first: {}",
                                kKinds[kind], count.rows, counts.rendered, count.first));
  }
  for (std::size_t flaw = 0; flaw < kFlaws; ++flaw) {
    const CountedRows& count = counts.flawed[flaw];
    if (count.rows == 0) continue;
    lines.push_back(fmt::format("{} of {} rows {} are left out; the first: {}", count.rows,
                                counts.read, kFlawNames[flaw], count.first));
  }
  if (counts.dropped_overlong > 0)
    lines.push_back(
        fmt::format("{} of {} rows are too long and are left out; the longest has {} tokens",
                    counts.dropped_overlong, counts.read, counts.longest));
  return lines;
}

std::string summary(const Dataset& dataset) {
  const RowTotals& totals = dataset.totals();
  const double share = totals.tokens == 0 ? 0.0
                                          : static_cast<double>(totals.trained_tokens) /
                                                static_cast<double>(totals.tokens);
  std::string text = fmt::format("{} rows, {} tokens, {} of them trained on ({:.1f} %)",
                                 totals.rows, totals.tokens, totals.trained_tokens, 100 * share);
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count > 0) text += fmt::format("; {} {}", count, what);
  };
  add(dataset.counts().dropped_overlong, "rows left out as too long");
  for (std::size_t flaw = 0; flaw < kFlaws; ++flaw)
    add(dataset.counts().flawed[flaw].rows, fmt::format("rows {} left out", kFlawNames[flaw]));
  add(dataset.counts().truncated, "rows cut as too long");
  add(dataset.counts().split, "documents cut into several rows");
  add(totals.straddling_rows, "rows with a token across the border of prompt and response");
  add(totals.prompt_differs, "rows whose prompt a server would write otherwise");
  return text;
}

}  // namespace hone::datasets
