#pragma once

#include <vector>

#include "adapters/method.h"

namespace hone::adapters {

/// Groups of keys that PEFT's configs share.
std::vector<ConfigKey> target_keys();       ///< which modules
std::vector<ConfigKey> unused_lora_keys();  ///< of LoRA's config, that hone has no option for
std::vector<ConfigKey> lycoris_keys();      ///< of LoHa and LoKr, targets included
std::vector<ConfigKey> virtual_keys();      ///< of prompts and prefixes
std::vector<ConfigKey> operator+(std::vector<ConfigKey> a, const std::vector<ConfigKey>& b);

/// A key that an option of the same name sets.
ConfigKey option(const char* key, nlohmann::json preset);
/// A key that another option sets.
ConfigKey option(const char* key, nlohmann::json preset, const char* name);
/// A key that hone knows with its default only.
ConfigKey fixed(const char* key, nlohmann::json preset);
/// A key that changes nothing in what hone computes.
ConfigKey free_key(const char* key, nlohmann::json preset);

/// A key that shapes training alone, and that hone does not train with.
ConfigKey training_key(const char* key, nlohmann::json preset);

/// The rank of a module: what rank_pattern says of it, else `r`.
std::int64_t rank_of(const Settings& settings, const std::string& module);
/// Its alpha, from alpha_pattern or `key`.
double alpha_of(const Settings& settings, const std::string& module, const char* key);

/// s in LoRA's y = Wx + s·BAx: alpha/r, or alpha/√r with rsLoRA (arXiv:2312.03732).
double lora_scaling(const Site& site, const Settings& settings);

// The rows of the table, one file each.
Method lora_method();
Method dora_method();
Method adalora_method();
Method ia3_method();
Method vera_method();
Method vblora_method();
Method loha_method();
Method lokr_method();
Method oft_method();
Method boft_method();
Method ln_tuning_method();
Method trainable_tokens_method();
Method prompt_tuning_method();
Method p_tuning_method();
Method prefix_tuning_method();
Method bottleneck_method();

}  // namespace hone::adapters
