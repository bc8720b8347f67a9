#pragma once

#include <cstdint>

#include "config/table.h"

namespace hone::checkpoint {

/// Section `checkpoint`. Meanings, ranges and defaults stand in its table (options.cpp).
struct CheckpointOptions {
  std::int64_t save_steps;
  std::int64_t keep_last;

  static const config::Table<CheckpointOptions>& table();
};

}  // namespace hone::checkpoint
