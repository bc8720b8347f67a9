#include "base/file.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace hone {
namespace {

std::string reason() { return std::strerror(errno); }

int open_or_throw(const std::filesystem::path& path, int flags, std::string_view purpose) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  HONE_CHECK(IoError, fd >= 0, "{}: cannot be opened for {}: {}", path.string(), purpose, reason());
  return fd;
}

void write_all(int fd, const void* data, std::size_t size_bytes, const std::filesystem::path& path,
               std::size_t written_before) {
  const char* cursor = static_cast<const char*>(data);
  std::size_t left = size_bytes;
  while (left > 0) {
    const ssize_t n = ::write(fd, cursor, left);
    if (n < 0 && errno == EINTR) continue;
    HONE_CHECK(IoError, n >= 0,
               "{}: writing failed after {} bytes: {}. Nothing that was there before is lost; free "
               "space or choose another folder, then run again",
               path.string(), written_before + size_bytes - left, reason());
    cursor += n;
    left -= static_cast<std::size_t>(n);
  }
}

void sync_or_throw(int fd, const std::filesystem::path& path) {
  HONE_CHECK(IoError, ::fsync(fd) == 0, "{}: could not be flushed to the disk: {}", path.string(),
             reason());
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const int fd = open_or_throw(path, O_RDONLY, "reading");
  std::string content;
  char buffer[1 << 16];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const std::string why = reason();
      ::close(fd);
      throw IoError(fmt::format("{}: reading failed: {}", path.string(), why));
    }
    content.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return content;
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const int fd = open_or_throw(path, O_RDONLY | O_NONBLOCK, "reading");  // never waits for a pipe
  struct stat info {};
  const bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  size_bytes_ = is_file ? static_cast<std::size_t>(info.st_size) : 0;
  void* address = nullptr;
  if (size_bytes_ > 0) address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, fd, 0);
  const std::string why = reason();
  ::close(fd);
  HONE_CHECK(IoError, is_file, "{}: is not a regular file", path.string());
  HONE_CHECK(IoError, address != MAP_FAILED, "{}: cannot be mapped: {}", path.string(), why);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void release_pages(const std::byte* data, std::size_t size_bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t into_page = begin % page;
  // An advice: where the kernel does not take it, nothing but memory is lost.
  ::madvise(reinterpret_cast<void*>(begin - into_page), size_bytes + into_page, MADV_DONTNEED);
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(folder_of(path_) /
                 fmt::format(".{}.{}.tmp", path_.filename().string(), ::getpid())),
      fd_(open_or_throw(temporary_, O_WRONLY | O_CREAT | O_TRUNC, "writing")) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size_bytes) {
  write_all(fd_, data, size_bytes, path_, size_bytes_);
  size_bytes_ += size_bytes;
}

void AtomicFile::commit() {
  sync_or_throw(fd_, path_);
  HONE_CHECK(IoError, ::rename(temporary_.c_str(), path_.c_str()) == 0,
             "{}: could not take its place: {}", path_.string(), reason());
  ::close(std::exchange(fd_, -1));
  sync_folder(folder_of(path_));
}

void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  const int fd = open_or_throw(temporary, O_RDONLY, "flushing");
  const bool is_flushed = ::fsync(fd) == 0;
  const std::string why = reason();
  ::close(fd);
  HONE_CHECK(IoError, is_flushed, "{}: could not be flushed to the disk: {}", temporary.string(),
             why);
  HONE_CHECK(IoError, ::rename(temporary.c_str(), path.c_str()) == 0,
             "{}: could not take its place: {}", path.string(), reason());
  sync_folder(folder_of(path));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

LineFile::LineFile(const std::filesystem::path& path, std::size_t keep_bytes)
    : path_(path), fd_(open_or_throw(path, O_WRONLY | O_CREAT | O_APPEND, "appending")) {
  struct stat info {};
  const auto keep = static_cast<off_t>(keep_bytes);
  const bool cut = ::fstat(fd_, &info) == 0 && info.st_size >= keep &&
                   (info.st_size == keep || ::ftruncate(fd_, keep) == 0);
  if (!cut) {
    const std::string why = info.st_size < keep ? "it is shorter than that" : reason();
    ::close(fd_);
    throw IoError(fmt::format("{}: cannot be cut to {} bytes: {}", path.string(), keep_bytes, why));
  }
}

LineFile::~LineFile() { ::close(fd_); }

void LineFile::append(std::string_view line) {
  std::string whole(line);
  whole.push_back('\n');
  append_bytes(whole);
}

void LineFile::append_bytes(std::string_view bytes) {
  write_all(fd_, bytes.data(), bytes.size(), path_, 0);
}

std::vector<std::string> files_matching(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_BRACE, nullptr, &found);
  std::vector<std::string> files;
  for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i)
    if (!std::filesystem::is_directory(found.gl_pathv[i])) files.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return files;
}

void sync_folder(const std::filesystem::path& folder) {
  const int fd = open_or_throw(folder, O_RDONLY | O_DIRECTORY, "flushing");
  const int failed = ::fsync(fd);
  const std::string why = reason();
  ::close(fd);
  HONE_CHECK(IoError, failed == 0, "{}: could not be flushed to the disk: {}", folder.string(),
             why);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  HONE_CHECK(IoError, !code, "{}: the folder cannot be made: {}", folder.string(), code.message());
}

}  // namespace hone
