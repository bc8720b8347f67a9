#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/audit/checks.h"
#include "datasets/audit/statistics.h"

namespace hone::datasets::audit {

/// What is audited, and against what.
struct AuditInput {
  Input train;
  std::vector<std::string> eval;       ///< files of rows that must not be trained on
  std::vector<std::string> benchmark;  ///< files of rows with any columns
  const tokenizer::Tokenizer* tokenizer = nullptr;
};

/// All that the checks look at, read once.
struct Evidence {
  /// @throws DataError where a file is missing, or no row of the training or evaluation files can
  ///         be read
  explicit Evidence(const AuditInput& input);
  Evidence(const Evidence&) = delete;
  Evidence& operator=(const Evidence&) = delete;

  CorpusScope scope(const std::vector<bool>& alive) const;

  std::vector<std::string> benchmark_places;
  BenchmarkIndex benchmark;
  Lookups lookups;
  std::optional<Corpus> eval;
  Corpus train;
};

/// What one check found.
struct Finding {
  const Check* check;
  std::int64_t count = 0;
  double share = 0;  ///< of the rows
  std::string note;
  std::vector<Exhibit> exhibits;  ///< the first ones
};

/// All that an audit has to say.
struct Report {
  std::vector<std::string> files, eval, benchmark;
  std::int64_t rows = 0, eval_rows = 0;
  std::map<RecordKind, std::int64_t> kinds;  ///< readable rows
  std::vector<Distribution> distributions;
  std::array<ScriptCounts, kScripts> scripts{};
  bool has_tokens = false;
  PairLengths pairs;
  std::int64_t benchmark_texts = 0, short_benchmark_texts = 0;
  std::vector<Finding> findings;  ///< the most severe first, then the most frequent
};

/// Reads the rows once, and those that may be near duplicates of others, or are shown, again.
/// @throws DataError as Evidence
Report audit(const AuditInput& input);

/// For a terminal: what matters first, each finding with its count, two rows and the remedy.
std::string text_report(const Report& report, bool colour);

/// For programs. Keys are stable; further ones may come.
nlohmann::ordered_json json_report(const Report& report);

/// One page by itself, for light and dark screens.
std::string html_report(const Report& report);

}  // namespace hone::datasets::audit
