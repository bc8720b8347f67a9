#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/record.h"

namespace hone::engine {

/// A way to train, as train.method names it.
struct Method {
  std::string_view name;
  std::string_view help;                    ///< for `hone explain`, as a sentence without its end
  std::vector<datasets::RecordKind> kinds;  ///< what its rows may be
};

std::span<const Method> methods();

/// @throws ConfigError where there is none of that name
const Method& method_named(std::string_view name);

}  // namespace hone::engine
