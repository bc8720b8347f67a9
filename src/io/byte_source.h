#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hone::io {

/// The bytes of a file, a pipe or standard input in their order, or what is packed in those.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// The first bytes, as one read gives them: at least one unless there is none. They tell what the
  /// file is, and `read` gives them again. To be called before `read`.
  std::string_view head();

  /// Up to `size_bytes` bytes into `buffer`. @return how many; 0 only at the end
  /// @throws DataError, IoError
  std::size_t read(char* buffer, std::size_t size_bytes);

 private:
  virtual std::size_t fetch(char* buffer, std::size_t size_bytes) = 0;

  std::string head_;
  std::size_t head_given_ = 0;
};

/// What messages call a path: the path, or "<stdin>" for "-".
std::string display_name(const std::filesystem::path& path);

/// @param path a file, a pipe, or "-" for standard input
/// @param what what it should be, for the message where there is no such file: "a JSONL file"
/// @throws DataError where there is no such file
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, std::string_view what);

/// What a gzip stream (of one or several members) unpacks to, in constant memory. Reading it to its
/// end proves its length and checksum.
/// @param name what messages call the file
std::unique_ptr<ByteSource> unpack_gzip(std::unique_ptr<ByteSource> packed, std::string name);

/// True where the bytes begin as gzip does.
bool is_gzip(std::string_view head);

}  // namespace hone::io
