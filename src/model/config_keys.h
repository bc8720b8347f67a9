#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <variant>

#include "model/spec.h"

namespace hone::model {

/// A key of config.json that is one number or flag of the spec, whichever family it is.
struct ConfigKey {
  const char* name;
  std::variant<std::int64_t Spec::*, double Spec::*, bool Spec::*> member;
  bool is_required = false;
};

std::span<const ConfigKey> config_keys();

/// A config.json for a model that came without one, as transformers 4 and 5 both read it.
nlohmann::ordered_json config_of(const Spec& spec);

}  // namespace hone::model
