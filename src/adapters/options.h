#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/settings.h"
#include "config/table.h"

namespace hone::adapters {

struct Method;

/// Section `adapter`; names and meanings as in PEFT's configs. Defaults stand in its table.
struct AdapterOptions {
  std::string method;
  std::string init_from;
  std::int64_t r;
  double lora_alpha;
  double lora_dropout;
  bool use_rslora;
  bool use_dora;
  bool lora_bias;
  std::string bias;
  std::string init_lora_weights;
  double eva_rho, eva_tau;
  bool eva_use_label_mask, eva_whiten, eva_adjust_scaling_factors;
  std::int64_t loftq_iter;
  std::int64_t relora_steps, relora_warmup_steps, relora_anneal_steps;
  double relora_prune_ratio;
  std::vector<std::string> target_modules;
  std::vector<std::string> target_parameters;
  std::vector<std::string> exclude_modules;
  std::vector<double> layers_to_transform;
  std::vector<std::string> layers_pattern;
  std::map<std::string, double> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  std::vector<std::string> modules_to_save;
  std::vector<double> trainable_token_indices;

  std::int64_t target_r, tinit, tfinal, deltaT;
  double beta1, beta2, orth_reg_weight;
  std::vector<std::string> feedforward_modules;
  double d_initial;
  std::int64_t projection_prng_key;
  std::int64_t num_vectors, vector_length, topk;
  bool decompose_both;
  std::int64_t decompose_factor;
  std::int64_t oft_block_size;
  bool use_cayley_neumann;
  bool coft;
  double eps;
  bool block_share;
  std::int64_t boft_block_size;
  std::int64_t boft_n_butterfly_factor;
  std::int64_t num_virtual_tokens;
  std::int64_t encoder_hidden_size;
  std::string encoder_reparameterization_type;
  std::int64_t encoder_num_layers;
  double encoder_dropout;
  bool prefix_projection;

  /// False where weights of the model itself are trained.
  bool trains_adapter() const;

  static const config::Table<AdapterOptions>& table();
};

/// What the options say to their method, under PEFT's keys.
/// @throws ConfigError where a value cannot be written there (a token index of 1.5)
Settings settings_of(const AdapterOptions& options);
Settings settings_of(const Method& method, const AdapterOptions& options);

}  // namespace hone::adapters
