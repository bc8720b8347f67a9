#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace hone::checkpoint {

/// The kind that the manifest of a run's checkpoint states.
inline constexpr const char* kCheckpointKind = "checkpoint";

/// `RUN/checkpoints/step-N`
std::filesystem::path folder_of_step(const std::filesystem::path& run_folder, std::int64_t step);

/// A folder that is named as a checkpoint; what it holds has not been looked at.
struct Entry {
  std::int64_t step = 0;
  std::filesystem::path folder;
};

/// The run's checkpoints, lowest step first. A run without any gives none.
std::vector<Entry> list(const std::filesystem::path& run_folder);

/// Told of each checkpoint that was passed over, and why.
using OnSkipped =
    std::function<void(const std::filesystem::path& folder, const std::string& reason)>;

/// An `OnSkipped` that logs a warning.
void warn_skipped(const std::filesystem::path& folder, const std::string& reason);

/// Says of a step whether its checkpoint is one of those that are meant.
using StepFilter = std::function<bool(std::int64_t step)>;

/// The checkpoint of the highest step whose every byte is what its manifest says.
/// @param among only these steps are looked at; empty: all
/// @param read finds out whether a folder is what its manifest says
std::optional<VerifiedFolder> newest_valid(const std::filesystem::path& run_folder,
                                           const OnSkipped& on_skipped = warn_skipped,
                                           const StepFilter& among = {},
                                           const Verify& read = verify);

/// Deletes all but the `keep_last` highest steps and those of `keep_also`, and never the newest
/// valid one, which is read in full for that. 0 keeps all.
/// @throws IoError when one cannot be deleted
void retain(const std::filesystem::path& run_folder, std::int64_t keep_last,
            const StepFilter& keep_also = {});

/// Renames the checkpoints after `step` to `step-N.superseded`. A run that goes on from an earlier
/// step is another run from there: what it saves must not be taken for older than what it left.
void set_aside_after(const std::filesystem::path& run_folder, std::int64_t step);

}  // namespace hone::checkpoint
