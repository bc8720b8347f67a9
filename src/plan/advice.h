#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace hone::plan {

/// A change to a config that makes its run smaller.
struct Advice {
  std::vector<std::string> overrides;  ///< "key=value"
  std::string costs;                   ///< what is paid for it, in words
  std::int64_t saves_bytes = 0;        ///< by itself
  std::int64_t total_bytes = 0;        ///< with those before it in the list
};

/// The config with more overrides. @throws ConfigError
using Reload =
    std::function<config::Loaded<engine::RunOptions>(const std::vector<std::string>& more)>;

/// Changes in the order in which they cost, each planned as the run would be, up to the one with
/// which it fits; those that save nothing or that the config refuses are left out.
/// @param memory_bytes of the device
std::vector<Advice> advise(const Plan& plan, const engine::RunOptions& options,
                           const Source& source, const Reload& reload, std::int64_t memory_bytes);

}  // namespace hone::plan
