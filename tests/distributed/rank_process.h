#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "support/tiny_run.h"

namespace hone::test {

/// `hone launch --nproc RANKS OPTIONS -- train CONFIG OVERRIDES`
std::vector<std::string> launch(const TinyRun& run, int ranks,
                                const std::vector<std::string>& overrides,
                                const std::vector<std::string>& options = {});

/// The process that is that rank of a run into this folder, found by what it was started with.
/// @param variable the environment variable that says which rank it is
std::optional<pid_t> process_of(const std::filesystem::path& run_folder, int rank,
                                const std::string& variable = "RANK");

/// The training steps in metrics.jsonl, in order.
std::vector<nlohmann::json> steps_in(const std::filesystem::path& run_folder);

}  // namespace hone::test
