#include "adapters/settings.h"

#include "adapters/pattern.h"

namespace hone::adapters {

bool Settings::says(const char* key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_number()) return found->get<double>() != 0;
  return !found->empty() && !(found->is_string() && found->get_ref<const std::string&>().empty());
}

std::vector<std::string> Settings::texts(const char* key) const {
  if (!says(key)) return {};
  if (values_[key].is_string()) return {get<std::string>(key)};
  return get<std::vector<std::string>>(key);
}

std::vector<std::int64_t> Settings::integers(const char* key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->is_null()) return {};
  if (found->is_number()) return {get<std::int64_t>(key)};
  return get<std::vector<std::int64_t>>(key);
}

nlohmann::json find_pattern(const nlohmann::json& patterns, const std::string& module) {
  if (!patterns.is_object()) return nullptr;
  for (const auto& [key, value] : patterns.items())
    if (Pattern("(.*\\.)?(" + key + ")").matches(module)) return value;
  return nullptr;
}

}  // namespace hone::adapters
