#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::engine {

struct RunOptions;

/// What a policy is measured against, in the sections of methods that have one.
struct ReferenceOptions {
  std::string reference;        ///< base, initial_adapter, none, or a model
  std::string reference_cache;  ///< off, auto, or a folder
};

/// Section `dpo`. Names as TRL's DPOConfig has them.
struct DpoOptions {
  std::vector<std::string> loss_type;
  std::vector<double> loss_weights;
  double beta;
  double label_smoothing;
  std::string f_divergence_type;
  double f_alpha_divergence_coef;
  double discopop_tau;
  double ld_alpha;
  bool use_weighting;
  double rpo_alpha;
  std::string reference;
  std::string reference_cache;
  bool sync_ref_model;
  double ref_model_mixup_alpha;
  std::int64_t ref_model_sync_steps;
  std::string prefix_sharing;

  static const config::Table<DpoOptions>& table();
};

/// Section `kto`. Names as TRL's KTOConfig has them.
struct KtoOptions {
  std::string loss_type;
  double beta;
  double desirable_weight;
  double undesirable_weight;
  std::string kl_scope;
  std::string reference;
  std::string reference_cache;

  static const config::Table<KtoOptions>& table();
};

/// Section `reward`.
struct RewardOptions {
  std::string loss_type;
  double center_rewards_coefficient;
  std::string prefix_sharing;

  static const config::Table<RewardOptions>& table();
};

/// Section `orpo`.
struct OrpoOptions {
  std::string loss_type;
  double beta;
  double label_smoothing;
  double simpo_gamma;
  double alpha;
  std::optional<double> nll_weight;
  std::string nll_on;
  std::string prefix_sharing;

  static const config::Table<OrpoOptions>& table();
};

/// What train.method measures its policy against; nothing for a method that measures none.
std::optional<ReferenceOptions> reference_options(const RunOptions& options);

/// Whether train.method needs the model as it was before training.
bool needs_base(const RunOptions& options);

/// Whether the rows of train.method are lent each other's answers (datasets/lent_answers.h).
bool lends_answers(const RunOptions& options);

/// What an answer's tokens beyond the shorter one's length weigh; 1 where train.method does not
/// say.
double length_alpha(const RunOptions& options);

/// The options of train.method that its numbers depend on, for the identity of a run.
nlohmann::json method_identity(const RunOptions& options);

}  // namespace hone::engine
