#include "adapters/methods/keys.h"

namespace hone::adapters {

using nlohmann::json;

const std::vector<Method>& methods() {
  static const std::vector<Method> methods = {
      lora_method(),          dora_method(),     adalora_method(),       ia3_method(),
      vera_method(),          vblora_method(),   loha_method(),          lokr_method(),
      oft_method(),           boft_method(),     ln_tuning_method(),     trainable_tokens_method(),
      prompt_tuning_method(), p_tuning_method(), prefix_tuning_method(), bottleneck_method()};
  return methods;
}

const Method* find_method(const std::string& name) {
  for (const Method& method : methods())
    if (name == method.name) return &method;
  return nullptr;
}

const Method* find_peft_type(const std::string& peft_type) {
  for (const Method& method : methods())
    if (peft_type == method.peft_type) return &method;
  return nullptr;
}

std::vector<ConfigKey> operator+(std::vector<ConfigKey> a, const std::vector<ConfigKey>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

ConfigKey option(const char* key, json preset) { return {key, std::move(preset), key}; }
ConfigKey option(const char* key, json preset, const char* name) {
  return {key, std::move(preset), name};
}
ConfigKey fixed(const char* key, json preset) { return {key, std::move(preset)}; }
ConfigKey free_key(const char* key, json preset) {
  return {key, std::move(preset), nullptr, /*is_free=*/true};
}
ConfigKey training_key(const char* key, json preset) {
  return {key, std::move(preset), nullptr, /*is_free=*/true, /*only_training=*/true};
}

std::vector<ConfigKey> target_keys() {
  return {option("target_modules", nullptr), option("exclude_modules", nullptr),
          option("modules_to_save", nullptr), option("layers_to_transform", nullptr),
          option("layers_pattern", nullptr)};
}

std::vector<ConfigKey> lycoris_keys() {
  return target_keys() + std::vector<ConfigKey>{option("r", 8),
                                                option("alpha", 8, "lora_alpha"),
                                                option("rank_pattern", json::object()),
                                                option("alpha_pattern", json::object()),
                                                free_key("init_weights", true),
                                                training_key("rank_dropout", 0.0),
                                                training_key("module_dropout", 0.0),
                                                free_key("use_effective_conv2d", false)};
}

std::vector<ConfigKey> virtual_keys() {
  return {option("num_virtual_tokens", nullptr),     free_key("token_dim", nullptr),
          free_key("num_transformer_submodules", 1), free_key("num_attention_heads", nullptr),
          free_key("num_layers", nullptr),           option("modules_to_save", nullptr)};
}

std::int64_t rank_of(const Settings& settings, const std::string& module) {
  const json pattern = find_pattern(settings.values().value("rank_pattern", json()), module);
  const auto rank =
      !pattern.is_null() ? pattern.get<std::int64_t>() : settings.get<std::int64_t>("r");
  HONE_CHECK(DataError, rank > 0, "{}: the rank of {} is {}; expected at least 1", settings.where(),
             module, rank);
  return rank;
}

double alpha_of(const Settings& settings, const std::string& module, const char* key) {
  const json pattern = find_pattern(settings.values().value("alpha_pattern", json()), module);
  return !pattern.is_null() ? pattern.get<double>() : settings.get<double>(key);
}

}  // namespace hone::adapters
