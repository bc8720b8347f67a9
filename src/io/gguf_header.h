#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/gguf.h"

namespace hone::io {

/// What stands before and around the tensor data; everything points into the mapped file.
struct GgufHeader {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<GgufTensor> tensors;
};

/// Walks the header. Every length, count, type and offset is checked against the file's size before
/// it is used, so that memory grows only with bytes that are there.
/// @throws DataError naming file, byte offset, what stands there and what was expected
GgufHeader read_gguf_header(const MappedFile& file);

/// Bytes of a number or bool; 0 for what has no fixed size.
std::size_t gguf_value_size_bytes(GgufType type);

/// The value of a number or bool of type T at `data`, which need not be aligned.
template <class T>
T load_unaligned(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

}  // namespace hone::io
