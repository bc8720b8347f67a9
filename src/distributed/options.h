#pragma once

#include <cstdint>
#include <string>

#include "config/table.h"

namespace hone::distributed {

/// Section `distributed`. Meanings, ranges and defaults stand in its table (options.cpp).
struct DistributedOptions {
  std::string strategy;
  std::int64_t timeout_s;
  std::int64_t first_step_timeout_s;
  std::string backend;
  std::string reduce_dtype;
  double bucket_mb;
  std::string balance;
  std::int64_t shard_size;
  bool gather_ahead;
  std::int64_t check_steps;

  static const config::Table<DistributedOptions>& table();
};

}  // namespace hone::distributed
