#pragma once

#include <cstdint>
#include <filesystem>

namespace hone::test {

/// Saves a checkpoint in which everything tells `version`: the two files of tensors, the step's
/// description, every element. Two of different versions in one folder would not go unseen.
void save_version(const std::filesystem::path& run_folder, std::int64_t step, float version,
                  std::int64_t elements = 300);

/// The version of the newest valid checkpoint, after checking every element; 0 without any. Fails
/// the test where a listed checkpoint is not valid, or not of one version.
float newest_version(const std::filesystem::path& run_folder);

/// Fails the test where the folder of checkpoints holds anything but checkpoints.
void expect_no_leftovers(const std::filesystem::path& run_folder);

}  // namespace hone::test
