#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/options.h"
#include "export/target.h"

namespace hone::cli {

/// What `hone export` was asked to export.
struct ExportAsked {
  std::string run;  ///< a run's folder, or its adapter/ or model/; empty: the two below
  std::string model;
  std::vector<std::string> adapters;
  std::string base_name;  ///< what adapter_config.json is to call the base; empty: as it stands
  std::string data;       ///< rows; empty: the run's own
};

/// The same, found on the disk, with what the run says of itself.
struct ExportSource {
  exporting::Source source;
  engine::RunOptions options;  ///< the run's, or defaults; model.base is the model to load, and
                               ///< data.eval the rows to measure on
  nlohmann::json metrics;      ///< of the run's end; null where it tells of none
  nlohmann::json origin;       ///< the lineage of what is exported; null where it tells of none
};

/// @throws DataError where nothing is there to be exported, saying what was looked for
/// @throws ConfigError where neither a run nor a model is named, or both
ExportSource find_export_source(const ExportAsked& asked);

}  // namespace hone::cli
