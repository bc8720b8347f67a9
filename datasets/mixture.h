#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"
#include "datasets/row_order.h"

namespace hone::datasets {

struct DataOptions;

/// One of data.sources: files that are drawn from together.
struct SourceOptions {
  std::string name;
  std::vector<std::string> files;
  std::optional<double> weight;
  std::optional<std::int64_t> max_rows;
  std::string format;                          ///< empty: as data.format says
  std::map<std::string, std::string> columns;  ///< {}: as data.columns says
  std::string license;

  static const config::Table<SourceOptions>& table();
};

/// One of data.stages: a stretch of the run with a mixture of its own.
struct StageOptions {
  std::vector<std::string> sources;  ///< their names; empty: all
  std::string mix_strategy;          ///< empty: as data.mix_strategy says
  std::map<std::string, double> weights;
  double epochs;

  static const config::Table<StageOptions>& table();
};

/// What is wrong with the sources and stages beyond the single option.
void check_mixture(const DataOptions& options, config::Problems& problems);

/// What a source's files are read with: the section's options, but for what the source says itself.
DataOptions options_of(const SourceOptions& source, const DataOptions& options);

/// All that decides in which order sources are drawn, as text: part of a run's identity. Empty
/// where there are no sources.
std::string mixture_text(const DataOptions& options);

/// The stages of an epoch, over rows that stand in the order of the sources.
/// @param sizes rows of each of options.sources; of data.train as a whole where there are none
std::vector<Stage> stages_of(const DataOptions& options, const std::vector<std::int64_t>& sizes);

}  // namespace hone::datasets
