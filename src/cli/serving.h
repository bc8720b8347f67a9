#pragma once

#include "engine/options.h"

namespace hone::cli {

/// Warns, one line for each reason, where export.serve_target cannot serve what the options train.
void warn_of_serving(const engine::RunOptions& options);

}  // namespace hone::cli
