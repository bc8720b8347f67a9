#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::adapters {

/// Section `adapter`; names and meanings as in PEFT's LoraConfig. Defaults stand in its table.
struct AdapterOptions {
  std::string method;
  std::int64_t r;
  double lora_alpha;
  double lora_dropout;
  bool use_rslora;
  std::vector<std::string> target_modules;
  std::string init_from;

  /// False where the model itself is trained.
  bool trains_adapter() const;

  static const config::Table<AdapterOptions>& table();
};

}  // namespace hone::adapters
