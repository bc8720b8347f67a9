#pragma once

#include <string>
#include <vector>

namespace hone::cli {

/// What one run of a sweep has of its own.
struct SweepRun {
  std::vector<std::string> overrides;  ///< "a.b=value", one of each axis
  std::string name;                    ///< of a folder, unlike all others' of the sweep
};

/// All combinations of the axes' values, the last axis changing first.
/// @param axes "a.b=v1,v2,v3"; a comma in brackets, braces or quotes is part of a value
/// @throws ConfigError where an axis is none, or two are of the same key
std::vector<SweepRun> expand_sweep(const std::vector<std::string>& axes);

}  // namespace hone::cli
