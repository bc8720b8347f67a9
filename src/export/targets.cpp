#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "export/target.h"

namespace hone::exporting {

std::span<const Target> targets() {
  static const Target all[] = {kPeftTarget, kHuggingFaceTarget, kVllmTarget,
                               kTgiTarget,  kLlamaCppTarget,    kOllamaTarget};
  return all;
}

const Target& target_of(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Target& target : targets()) {
    if (target.name == name) return target;
    names.push_back(target.name);
  }
  throw ConfigError(
      fmt::format("there is no target `{}`; expected one of {}", name, fmt::join(names, ", ")));
}

}  // namespace hone::exporting
