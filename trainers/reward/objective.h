#pragma once

#include <string_view>

#include "engine/preference_options.h"
#include "trainers/reward/judgements.h"

namespace hone::reward {

/// What rows say of answers, and how the model learns to say it too: an entry of the table for each
/// reward.loss_type. M places of the stream are judged, each with A outputs of the head.
struct Objective {
  std::string_view name;
  std::string_view rows;      ///< what its rows are, for messages
  std::int64_t documents;     ///< of each row
  std::int64_t most_outputs;  ///< that the head may have; 0: any number
  /// What a row should say: how many values. @param trained_tokens of the row
  std::int64_t (*values)(std::int64_t trained_tokens, std::int64_t outputs);
  /// How many judgements a batch holds: a step's loss is the mean over all of its batches'.
  std::int64_t (*count)(const datasets::Batch& batch);
  /// Where the head is read. @return [M] i64, rows of the stream
  Tensor (*places)(const engine::DeviceBatch& batch);
  /// @param outputs_MA f32; gradient flows. @param values f32, what the rows say
  /// @return one loss for each judgement
  Tensor (*losses)(const Tensor& outputs_MA, const Tensor& values,
                   const engine::RewardOptions& options);
  report::Metrics (*of_step)(const Judgements& judgements);
  report::Metrics (*of_evaluation)(const Judgements& judgements);
};

/// @throws ConfigError where there is none of that name
const Objective& objective_named(std::string_view name);

}  // namespace hone::reward
