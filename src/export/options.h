#pragma once

#include <string>

#include "config/table.h"

namespace hone::exporting {

/// Section `export`: what becomes of the run's product.
struct ServingOptions {
  std::string serve_target;

  static const config::Table<ServingOptions>& table();
};

}  // namespace hone::exporting
