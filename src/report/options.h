#pragma once

#include <string>
#include <vector>

#include "config/table.h"

namespace hone::report {

/// Section `report`. Meanings and defaults stand in its table (options.cpp).
struct ReportOptions {
  std::vector<std::string> report_to;
  bool html;

  static const config::Table<ReportOptions>& table();
};

}  // namespace hone::report
