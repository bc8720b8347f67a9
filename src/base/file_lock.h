#pragma once

#include <filesystem>
#include <optional>

namespace hone {

/// A lock between processes: a file that one process at a time may hold (flock). It is free as soon
/// as its holder is dead, however it died. The file goes with the lock.
class FileLock {
 public:
  /// Takes the lock where it is free. @throws IoError where the file cannot be made
  static std::optional<FileLock> try_take(const std::filesystem::path& path);
  /// Waits for it. @throws IoError
  static FileLock take(const std::filesystem::path& path);

  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  FileLock(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  static std::optional<FileLock> take(const std::filesystem::path& path, bool wait);

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace hone
