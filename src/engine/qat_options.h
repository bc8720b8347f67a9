#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::quant {
struct Recipe;
}

namespace hone::engine {

/// Section `qat`: training with the weights that will be served packed.
struct QatOptions {
  std::string format;
  std::int64_t block_size;
  bool symmetric;
  bool double_quantization;
  std::vector<std::string> skip;
  std::int64_t fake_quant_after_n_steps;

  bool is_on() const { return format != "none"; }
  quant::Recipe recipe() const;

  static const config::Table<QatOptions>& table();
};

}  // namespace hone::engine
