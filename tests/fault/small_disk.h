#pragma once

#include <cstdint>
#include <filesystem>

namespace hone::test {

/// Gives this process a small file system of its own at `place`, gone when it ends. False where
/// this user may not mount one.
bool mount_small_disk(const std::filesystem::path& place, const char* options = "size=256k");

/// Writes to a file `ballast` until only `left_bytes` are free.
void fill_disk(const std::filesystem::path& disk, std::uint64_t left_bytes);

}  // namespace hone::test
