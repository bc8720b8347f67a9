#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

#include "cli/config_arguments.h"
#include "datasets/audit/audit.h"
#include "engine/text.h"

namespace hone::cli {

/// What `hone data audit` and `hone data clean` are told of their rows.
struct AuditArguments {
  ConfigArguments config;
  std::vector<std::string> input, eval, benchmark;
  std::string format = "auto", tokenizer;

  void declare(CLI::App& command);
};

/// The rows as the library takes them.
struct AuditRows {
  /// @throws ConfigError where there is neither a config nor --input, or both
  AuditRows(const AuditArguments& arguments, const Common& common);
  AuditRows(const AuditRows&) = delete;
  AuditRows& operator=(const AuditRows&) = delete;

  engine::Text text;
  datasets::audit::AuditInput input;  ///< its tokenizer is that of `text`
};

}  // namespace hone::cli
