#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone::datasets {

/// What tells that a file is still the one that was looked at before.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  ///< of the content
  std::int64_t changed_ns = 0;   ///< of the content or the entry; no program can set it back

  bool operator==(const FileIdentity&) const = default;
};

/// @throws DataError where there is no such file
FileIdentity identity_of(const std::filesystem::path& file);

/// What the files take on the disk; what is no file takes nothing.
std::int64_t bytes_of(const std::vector<std::string>& files);

/// Where a folder of caches remembers hashes.
inline constexpr const char* kHashMemory = "file_hashes.json";

/// SHA-256 of each file's content. Hashes are remembered in `memory`, a file beside the caches, so
/// that gigabytes are not read at each start. A remembered one is believed only where the file's
/// identity is the same in every part, and where the file had rested for a moment when it was
/// taken: a clock ticks in steps, so two changes in one step look alike.
/// @source racy-git: git's documentation of the index and files that change within a clock's tick
/// @param memory "" remembers nothing. A memory that is damaged or cannot be written is no error
/// @throws DataError, IoError where a file cannot be read
std::vector<std::string> hash_files(const std::vector<std::string>& files,
                                    const std::filesystem::path& memory);

}  // namespace hone::datasets
