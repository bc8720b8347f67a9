#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace hone {
namespace {

/// Whether the file that was locked still has its name: its last holder has removed it otherwise,
/// and others may hold a new one of that name.
bool is_current(int fd, const std::filesystem::path& path) {
  struct stat held {
  }, named{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace

std::optional<FileLock> FileLock::take(const std::filesystem::path& path, bool wait) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    HONE_CHECK(IoError, fd >= 0, "{}: cannot be opened for locking: {}", path.string(),
               std::strerror(errno));
    FileLock lock({}, fd);
    int result = 0;
    do {
      result = ::flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno == EWOULDBLOCK) return std::nullopt;
    HONE_CHECK(IoError, result == 0, "{}: cannot be locked: {}", path.string(),
               std::strerror(errno));
    if (!is_current(fd, path)) continue;
    lock.path_ = path;
    return lock;
  }
}

std::optional<FileLock> FileLock::try_take(const std::filesystem::path& path) {
  return take(path, /*wait=*/false);
}

FileLock FileLock::take(const std::filesystem::path& path) {
  return std::move(*take(path, /*wait=*/true));
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  if (!path_.empty()) ::unlink(path_.c_str());  // while it is held: nobody waits in vain
  ::close(fd_);
}

}  // namespace hone
