#pragma once

#include <cstdint>

#include "config/table.h"

namespace hone::checkpoint {

/// Section `checkpoint`. Meanings, ranges and defaults stand in its table (options.cpp).
struct CheckpointOptions {
  std::int64_t save_steps;
  std::int64_t keep_last;
  std::int64_t keep_every;
  bool keep_best;
  bool load_best_model_at_end;
  bool async_save;

  bool saves_best() const { return keep_best || load_best_model_at_end; }

  static const config::Table<CheckpointOptions>& table();
};

}  // namespace hone::checkpoint
