#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/audit/audit.h"

namespace hone::datasets::audit {

/// A step that changes texts; those that leave rows out are the checks themselves.
struct Edit {
  std::string_view name;
  std::string_view what;
  std::string (*apply)(std::string_view text);
  /// The ledger does not say what was there before: it is no place for personal data.
  bool hides_before = false;
};

/// In the order in which they are applied, after all rows that go have gone.
std::span<const Edit> edits();

/// The names of all steps, in the order in which they are applied whatever order they are named in.
std::vector<std::string> step_names();

struct CleanInput {
  AuditInput audit;
  /// Empty: what leaves no doubt (exact_duplicates, empty, equal_pairs), and what the evaluation
  /// and benchmark files that are given ask for.
  std::vector<std::string> steps;
  std::filesystem::path output;  ///< a JSONL file
  std::filesystem::path ledger;  ///< "" for none
  bool dry_run = false;          ///< nothing is written
};

struct StepResult {
  std::string name;
  std::int64_t rows = 0;  ///< left out, or changed
};

struct CleanSummary {
  std::int64_t rows = 0, kept = 0, changed = 0;
  std::vector<StepResult> steps;  ///< those that were asked for, in their order
};

/// Copies the rows that no step leaves out, in their order. A row of a JSONL file that no step
/// changes keeps its bytes (its line end becomes \n). Output and ledger appear complete or not at
/// all; the same input gives the same bytes.
/// @throws ConfigError where a step is unknown or lacks its files, or the output is one of the
/// inputs
/// @throws DataError where a file is missing, or a row cannot be read and `unreadable` is no step
CleanSummary clean(const CleanInput& input);

}  // namespace hone::datasets::audit
