#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/example.h"
#include "datasets/flawed_row.h"
#include "datasets/row_facts.h"

namespace hone::datasets {

/// Rows of one kind of trouble: in which a chat template changed something, or that are flawed.
struct CountedRows {
  std::int64_t rows = 0;
  std::string first = {};  ///< where, and what: the first of them

  /// Takes in those of the rows that come next.
  void add(const CountedRows& more);
  bool operator==(const CountedRows&) const = default;
};

/// What became of the rows of the files, before they were rows of a data set.
struct RowCounts {
  std::int64_t read = 0;
  std::int64_t rendered = 0;          ///< came as messages and went through a chat template
  std::int64_t dropped_overlong = 0;  ///< longer than the limit, left out
  std::int64_t truncated = 0;         ///< longer than the limit, cut to it
  std::int64_t split = 0;             ///< longer than the limit, cut into several
  std::int64_t longest = 0;           ///< tokens of the longest row, before any cut
  std::int64_t desirable = 0, undesirable = 0;                 ///< unpaired rows by their label
  std::array<CountedRows, kTemplateChangeKinds> changes = {};  ///< by TemplateChange::Kind
  std::array<CountedRows, kFlaws> flawed = {};                 ///< left out, by Flaw

  /// Takes in what became of the rows that come next.
  void add(const RowCounts& more);

  bool operator==(const RowCounts&) const = default;
};

/// What a data set knows of itself without looking at a row.
struct DatasetInfo {
  std::vector<std::string> files = {};
  RowCounts counts = {};
  std::vector<std::int32_t> stop_ids = {};  ///< tokens that end a response
  std::string sha256 = {};                  ///< of the content of `files` (content_hash)
};

/// Where the rows of a data set lie. Every member may be called from many threads at once.
class RowStore {
 public:
  virtual ~RowStore() = default;
  virtual Example example(std::int64_t i) const = 0;
  virtual RowFacts facts(std::int64_t i) const = 0;
};

/// The rows of some files, tokenised, in the order of the files: in memory, or in a cache on the
/// disk. Immutable; copies are cheap and share the rows.
class Dataset {
 public:
  Dataset() = default;
  /// @param lengths tokens of each row
  Dataset(DatasetInfo info, RowTotals totals, std::vector<std::int64_t> lengths,
          std::shared_ptr<const RowStore> rows);

  std::int64_t size() const { return static_cast<std::int64_t>(contents_->lengths.size()); }
  bool empty() const { return size() == 0; }
  const std::vector<std::int64_t>& lengths() const { return contents_->lengths; }
  const DatasetInfo& info() const { return contents_->info; }
  const RowCounts& counts() const { return info().counts; }
  const RowTotals& totals() const { return contents_->totals; }

  /// @throws DataError where the cache turns out to be damaged
  Example example(std::int64_t i) const;
  RowFacts facts(std::int64_t i) const;
  /// "file:line" of a row, for messages.
  std::string where(std::int64_t i) const;

 private:
  struct Contents {
    DatasetInfo info;
    RowTotals totals;
    std::vector<std::int64_t> lengths;
    std::shared_ptr<const RowStore> rows;
  };
  std::shared_ptr<const Contents> contents_ = std::make_shared<const Contents>();
};

/// SHA-256 over files: of one file its own hash, of several that of their hashes, one a line.
std::string content_hash(const std::vector<std::string>& file_hashes);

/// A data set whose rows are in memory.
Dataset in_memory(DatasetInfo info, std::vector<Example> examples);

/// A line for each kind of change that a chat template made, and for each reason that rows were
/// left out for: how many rows, and the first or the longest of them.
std::vector<std::string> describe_changes(const RowCounts& counts);

/// One line that says how much there is and what was left out.
std::string summary(const Dataset& dataset);

}  // namespace hone::datasets
