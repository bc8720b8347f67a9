#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/config_arguments.h"
#include "datasets/load.h"
#include "engine/text.h"

namespace hone::cli {

/// What names rows and how they become tokens: a CONFIG, or --input with --tokenizer, which takes
/// keys of section `data` in the CONFIG's place ("data.max_length=512").
struct DatasetArguments {
  ConfigArguments config;
  std::vector<std::string> input;
  std::string tokenizer, template_file;

  void declare(CLI::App& command);
};

/// What rows are tokenised with. It stays where it is: `tools` points into `text`.
struct DatasetSetting {
  datasets::DataOptions options;
  engine::Text text;
  datasets::TextTools tools;
  std::int64_t context_length = 0;  ///< 0: not known
};

/// Files that are read in one way: those of data.train, of a source, or of data.eval.
struct RowSet {
  std::string name;  ///< "train", "eval", or the source's
  bool is_eval = false;
  std::vector<std::string> files;
  datasets::DataOptions options;
};

/// All that the setting's options name, as files. @throws DataError
std::vector<RowSet> row_sets(const DatasetSetting& setting);

/// @throws ConfigError, DataError
std::unique_ptr<DatasetSetting> open_dataset_setting(const DatasetArguments& arguments,
                                                     const Common& common);

}  // namespace hone::cli
