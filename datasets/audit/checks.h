#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/audit/corpus.h"
#include "datasets/audit/passages.h"

namespace hone::datasets::audit {

enum class Severity {
  kError,    ///< the training will be wrong, or its evaluation
  kWarning,  ///< it will probably be worse
  kNote,     ///< worth knowing
};
std::string_view name_of(Severity severity);

/// What a check sees of one row.
struct RowScope {
  const RowText& row;
  const RowKeys& keys;
  const std::string& problem;  ///< why the row cannot be read; then `row` is empty
  const Lookups& lookups;
};

/// A row that a check over all rows found.
struct Mark {
  std::int64_t row;
  std::int64_t other = -1;     ///< the row that it is held against; -1: none
  bool other_is_eval = false;  ///< `other` is a row of the evaluation files
  double similarity = 0;       ///< to `other`, where that is not all or nothing
};

/// What a check over all rows found.
struct Findings {
  std::vector<Mark> marks;  ///< ascending by row; one a row
  std::int64_t count = 0;   ///< where what is counted is not the marks
  std::string note;         ///< what the numbers are, in a sentence
};

/// What such a check sees.
struct CorpusScope {
  const Corpus& train;
  const Corpus* eval;  ///< null: there are no evaluation files
  const Lookups& lookups;
  const std::vector<bool>& alive;  ///< of each row; those that are not alive count as absent
};

/// One thing that can be wrong with data. Adding one is an entry in the table of checks.cpp.
struct Check {
  std::string_view name;    ///< as in reports, and as a step of `hone data clean`
  std::string_view what;    ///< the finding in a few words
  std::string_view how;     ///< how it is told, with its limits
  std::string_view remedy;  ///< what to do
  Severity severity;
  /// What it finds in one row, for a report; nothing where nothing is wrong. On any thread.
  std::optional<std::string> (*in_row)(const RowScope& scope) = nullptr;
  /// What it finds among all rows; empty where the other one is there.
  Findings (*in_corpus)(const CorpusScope& scope) = nullptr;
  /// False: it tells of the data as a whole, and leaving rows out does not mend it.
  bool is_removable = true;
};

/// At most 64.
std::span<const Check> checks();

/// What one check finds over the rows that are alive.
Findings find(const Check& check, const CorpusScope& scope);

/// What a mark says of its row: "same as rows.jsonl:5", "0.87 similar to …", "against …"; "" where
/// there is no other row.
std::string describe(const Mark& mark, const CorpusScope& scope);

// Those that compare rows: one file for each family (duplicates.cpp, conflicts.cpp, whole.cpp).
Findings find_exact_duplicates(const CorpusScope& scope);
Findings find_near_duplicates(const CorpusScope& scope);
Findings find_eval_leaks(const CorpusScope& scope);
Findings find_near_eval_leaks(const CorpusScope& scope);
Findings find_conflicting_answers(const CorpusScope& scope);
Findings find_conflicting_labels(const CorpusScope& scope);
Findings find_length_limit(const CorpusScope& scope);
Findings find_length_bias(const CorpusScope& scope);
Findings find_mixed_thousands(const CorpusScope& scope);
Findings find_mixed_dates(const CorpusScope& scope);
Findings find_costly_scripts(const CorpusScope& scope);

}  // namespace hone::datasets::audit
