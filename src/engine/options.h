#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/options.h"
#include "checkpoint/options.h"
#include "config/table.h"
#include "datasets/options.h"
#include "distributed/options.h"
#include "engine/guard.h"
#include "engine/preference_options.h"
#include "engine/qat_options.h"
#include "eval/options.h"
#include "export/options.h"
#include "model/rope_options.h"
#include "optim/options.h"
#include "report/options.h"

namespace hone::engine {

/// Section `model`.
struct ModelOptions {
  std::string base;
  std::string dtype;
  std::string quantization;
  std::int64_t quantization_block_size;
  bool double_quantization;
  std::vector<std::string> quantization_skip;
  std::vector<std::string> add_tokens, add_special_tokens;
  model::RopeScalingOptions rope_scaling;
  std::int64_t num_labels;

  static const config::Table<ModelOptions>& table();
};

/// Section `train`.
struct TrainOptions {
  std::string method;
  std::string output_dir;
  bool overwrite_output_dir;
  std::int64_t seed;
  std::int64_t max_steps;
  double num_train_epochs;
  std::int64_t per_device_train_batch_size;
  std::int64_t tokens_per_device_batch;
  std::int64_t gradient_accumulation_steps;
  std::string precision;
  double max_grad_norm;
  double max_grad_value;
  std::string loss_type;
  double label_smoothing_factor;
  double z_loss;
  double neftune_noise_alpha;
  std::string gradient_checkpointing;
  std::int64_t gradient_checkpointing_interval;
  std::int64_t activation_budget_mb;
  bool activation_offload;
  bool probe;

  static const config::Table<TrainOptions>& table();
};

/// A whole config file. Each section is declared beside the code that it steers.
struct RunOptions {
  ModelOptions model;
  adapters::AdapterOptions adapter;
  datasets::DataOptions data;
  TrainOptions train;
  DpoOptions dpo;
  KtoOptions kto;
  OrpoOptions orpo;
  RewardOptions reward;
  QatOptions qat;
  optim::OptimOptions optim;
  optim::ScheduleOptions schedule;
  eval::EvalOptions eval;
  checkpoint::CheckpointOptions checkpoint;
  GuardOptions guard;
  distributed::DistributedOptions distributed;
  report::ReportOptions report;
  exporting::ServingOptions export_;  // `export` is a keyword

  static const config::Table<RunOptions>& table();
};

}  // namespace hone::engine
