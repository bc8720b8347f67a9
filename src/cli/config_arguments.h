#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "cli/verbs.h"
#include "config/load.h"
#include "engine/options.h"

namespace hone::cli {

/// `CONFIG [key.sub=value …]`
struct ConfigArguments {
  std::string path;
  std::vector<std::string> overrides;

  void declare(CLI::App& command, bool required = true);
  /// --seed counts as one more override. @throws ConfigError
  config::Loaded<engine::RunOptions> load(const Common& common) const;
};

}  // namespace hone::cli
