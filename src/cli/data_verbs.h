#pragma once

#include "cli/verbs.h"

namespace hone::cli {

// The verbs of `hone data`, one file each (data_<verb>.cpp). data.cpp has the table.
Action declare_data_audit(CLI::App& command, const Common& common);
Action declare_data_clean(CLI::App& command, const Common& common);
Action declare_data_build(CLI::App& command, const Common& common);
Action declare_data_inspect(CLI::App& command, const Common& common);
Action declare_data_convert(CLI::App& command, const Common& common);
Action declare_data_prefer(CLI::App& command, const Common& common);
Action declare_data_render(CLI::App& command, const Common& common);
Action declare_data_sample(CLI::App& command, const Common& common);
Action declare_data_split(CLI::App& command, const Common& common);

}  // namespace hone::cli
