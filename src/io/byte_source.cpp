#include "io/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/input_file.h"

namespace hone::io {
namespace {

constexpr std::size_t kHeadBytes = std::size_t{64} << 10;

class FileBytes final : public ByteSource {
 public:
  FileBytes(const std::filesystem::path& path, std::string_view what) : name_(display_name(path)) {
    if (path == "-") {
      fd_ = STDIN_FILENO;
      return;
    }
    require_file(path, what);
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    HONE_CHECK(IoError, fd_ >= 0, "{}: cannot be opened for reading: {}", name_,
               std::strerror(errno));
  }
  ~FileBytes() override {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

 private:
  std::size_t fetch(char* buffer, std::size_t size_bytes) override {
    ssize_t n = 0;
    do {
      n = ::read(fd_, buffer, size_bytes);
    } while (n < 0 && errno == EINTR);
    HONE_CHECK(IoError, n >= 0, "{}: reading failed at byte {}: {}", name_, read_bytes_,
               std::strerror(errno));
    read_bytes_ += static_cast<std::size_t>(n);
    return static_cast<std::size_t>(n);
  }

  std::string name_;
  int fd_ = -1;
  std::size_t read_bytes_ = 0;
};

}  // namespace

std::string_view ByteSource::head() {
  if (head_.empty()) {
    head_.resize(kHeadBytes);
    head_.resize(fetch(head_.data(), head_.size()));
  }
  return head_;
}

std::size_t ByteSource::read(char* buffer, std::size_t size_bytes) {
  if (head_given_ == head_.size()) return fetch(buffer, size_bytes);
  const std::size_t n = std::min(size_bytes, head_.size() - head_given_);
  std::memcpy(buffer, head_.data() + head_given_, n);
  head_given_ += n;
  return n;
}

std::string display_name(const std::filesystem::path& path) {
  return path == "-" ? "<stdin>" : path.string();
}

std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, std::string_view what) {
  return std::make_unique<FileBytes>(path, what);
}

}  // namespace hone::io
