#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::eval {

/// One of eval.suite: rows, and what is measured on them.
struct SuiteOptions {
  std::string name;
  std::vector<std::string> data;
  std::string format;                          ///< empty: as data.format says
  std::map<std::string, std::string> columns;  ///< {}: as data.columns says
  std::vector<std::string> metrics;            ///< names from the table of metric.h
  std::int64_t limit;                          ///< 0: all rows
  std::int64_t max_new_tokens;
  std::vector<std::string> stop;
  std::string pattern;
  std::string schema;
  std::string choice_delimiter;

  static const config::Table<SuiteOptions>& table();
};

/// Section `eval`.
struct EvalOptions {
  std::int64_t eval_steps;
  double eval_epochs;
  bool eval_on_start;
  std::string metric_for_best_model;
  std::optional<bool> greater_is_better;
  std::int64_t early_stopping_patience;
  double early_stopping_threshold;
  std::int64_t tokens_per_device_batch;
  std::vector<std::string> metrics;
  bool exact_match;
  std::int64_t max_new_tokens;
  std::int64_t generation_batch_size;
  double difference;
  std::vector<SuiteOptions> suite;

  static const config::Table<EvalOptions>& table();
};

}  // namespace hone::eval
