#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"
#include "model/spec.h"

namespace hone::model {

/// Section `model.rope_scaling`: the model's context, stretched for rows longer than it was trained
/// on. It takes the place of the scaling in config.json; the keys and what they mean are the same.
struct RopeScalingOptions {
  std::optional<std::string> rope_type;  ///< without it nothing is changed
  std::optional<double> factor;
  std::optional<std::int64_t> original_max_position_embeddings;
  std::optional<double> rope_theta;
  std::optional<double> attention_factor;
  std::optional<double> low_freq_factor, high_freq_factor;
  std::optional<double> beta_fast, beta_slow, mscale, mscale_all_dim;
  std::optional<bool> truncate;
  std::vector<double> short_factor, long_factor;

  static const config::Table<RopeScalingOptions>& table();
};

/// The keys that are given, as config.json would have them.
nlohmann::json as_config(const RopeScalingOptions& options);

/// The options that give `config` again: what a run recorded.
/// @throws DataError where a key is of another type. @param where it stands, for the message
RopeScalingOptions rope_options_from(const nlohmann::json& config, const std::string& where);

}  // namespace hone::model
