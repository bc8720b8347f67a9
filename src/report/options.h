#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::report {

/// Section `report`. Meanings and defaults stand in its table (options.cpp).
struct ReportOptions {
  std::vector<std::string> report_to;
  std::string mlflow_dir;
  bool html;
  bool grad_norm_groups;
  std::int64_t profile_steps;

  static const config::Table<ReportOptions>& table();
};

}  // namespace hone::report
