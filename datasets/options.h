#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"
#include "datasets/mixture.h"

namespace hone::datasets {

/// Section `data`. Meanings, ranges and defaults stand in its table (options.cpp).
struct DataOptions {
  std::vector<std::string> train;
  std::vector<SourceOptions> sources;
  std::string mix_strategy;
  double mix_temperature;
  std::vector<StageOptions> stages;
  std::vector<std::string> eval;
  std::string license, eval_license;
  std::string format;
  std::map<std::string, std::string> columns;
  std::optional<std::int64_t> max_length;
  std::string overlong;
  std::string flawed_rows;
  std::vector<std::string> train_on;  ///< {"all"}, {"last"}, or roles
  double prompt_loss_weight;
  bool shuffle;
  std::string chat_template;
  std::string cache;
  bool mask_contract;
  double max_untrained_rows;
  double min_trained_share;
  double max_trained_share;
  double max_straddling_rows;

  static const config::Table<DataOptions>& table();
};

}  // namespace hone::datasets
