#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

/// The whole file as bytes.
/// @throws IoError when it cannot be opened, is a folder, or reading fails
std::string read_file(const std::filesystem::path& path);

/// A read-only memory map of a file; the pages are shared and read on first touch.
class MappedFile {
 public:
  /// @throws IoError when the file cannot be opened or mapped
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::byte* data() const { return data_; }
  std::size_t size_bytes() const { return size_bytes_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

/// Lets go of the pages of a mapped file that hold [data, data + size_bytes): they no longer count
/// as this process's memory, and are read again where they are touched again.
void release_pages(const std::byte* data, std::size_t size_bytes);

/// A file that appears under its name complete, or not at all: written beside its place, flushed to
/// the disk and renamed by `commit()`. Without `commit()` nothing is left behind.
class AtomicFile {
 public:
  /// @throws IoError when the folder is missing or cannot be written
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// @throws IoError naming path and size when the disk is full or fails
  void write(const void* data, std::size_t size_bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  std::size_t size_bytes() const { return size_bytes_; }

  /// fsync, rename over the destination, fsync of the folder.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  std::size_t size_bytes_ = 0;
};

/// Flushes a file that another library wrote to the disk and gives it its name in the same folder,
/// in the place of what was there. @throws IoError
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& path);

void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Appends whole lines or records to a log that other programs follow while it grows.
class LineFile {
 public:
  /// @param keep_bytes the file is cut to this size first; what a resumed run has not yet done goes
  /// @throws IoError
  LineFile(const std::filesystem::path& path, std::size_t keep_bytes);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// One write call for the line and its newline, so that a reader never sees half of one.
  void append(std::string_view line);
  /// The same without a newline.
  void append_bytes(std::string_view bytes);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

/// The files that a shell pattern (`*`, `?`, `[a-c]`, `{a,b}`) stands for, sorted; folders are
/// none.
std::vector<std::string> files_matching(const std::string& pattern);

/// Flushes a folder's entries to the disk, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& folder);

/// Creates a folder and its parents. @throws IoError with the reason
void make_folder(const std::filesystem::path& folder);

}  // namespace hone
