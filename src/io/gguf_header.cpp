#include "io/gguf_header.h"

#include <ggml.h>

#include <bit>
#include <cstring>
#include <set>

#include "base/error.h"
#include "io/dtype.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

constexpr std::uint64_t kDefaultAlignment = 32;
constexpr const char* kAlignmentKey = "general.alignment";

/// Goes through the file from front to back and never past its end.
class Cursor {
 public:
  explicit Cursor(const MappedFile& file) : file_(file) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return file_.size_bytes() - position_; }
  std::string path() const { return file_.path().string(); }

  /// Steps over bytes and gives where they begin. `what` names them in a message.
  const std::byte* take(std::uint64_t size_bytes, std::string_view what) {
    HONE_CHECK(DataError, size_bytes <= left(),
               "{}: {} at byte {} needs {} bytes, but the file ends {} bytes after that. It is "
               "truncated, or its header is damaged; download it again",
               path(), what, position_, size_bytes, left());
    const std::byte* data = file_.data() + position_;
    position_ += size_bytes;
    return data;
  }

  template <class T>
  T read(std::string_view what) {
    return load_unaligned<T>(take(sizeof(T), what));
  }

  std::string_view read_string(std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    return {reinterpret_cast<const char*>(take(length, what)), length};
  }

  /// A key or tensor name: not empty, and printable in messages.
  std::string read_name(std::string_view what) {
    const std::uint64_t start = position_;
    const std::string_view name = read_string(what);
    HONE_CHECK(DataError, !name.empty() && !first_invalid_utf8(name),
               "{}: {} at byte {} is {}. The header is damaged; download the file again", path(),
               what, start, name.empty() ? "empty" : "not valid UTF-8");
    return std::string(name);
  }

 private:
  const MappedFile& file_;
  std::uint64_t position_ = 0;
};

std::uint32_t read_magic_and_version(Cursor& cursor) {
  HONE_CHECK(DataError, cursor.left() >= 24,
             "{}: {} bytes are too few for a GGUF file, whose header has at least 24. It is "
             "truncated; download it again",
             cursor.path(), cursor.left());
  const std::string_view magic(reinterpret_cast<const char*>(cursor.take(4, "the magic")), 4);
  HONE_CHECK(DataError, magic == "GGUF",
             "{}: is not a GGUF file: it begins with the bytes {:02x} {:02x} {:02x} {:02x}, not "
             "with 'GGUF'",
             cursor.path(), std::uint8_t(magic[0]), std::uint8_t(magic[1]), std::uint8_t(magic[2]),
             std::uint8_t(magic[3]));
  const auto version = cursor.read<std::uint32_t>("the version");
  HONE_CHECK(DataError, (version & 0xFFFF) != 0,
             "{}: the version at byte 4 is 0x{:08x}: a big-endian or damaged file. Convert it to "
             "little-endian with gguf's `gguf_convert_endian`",
             cursor.path(), version);
  HONE_CHECK(
      DataError, version == 2 || version == 3,
      "{}: GGUF version {} at byte 4 is not read, only 2 and 3. Convert the model again with "
      "a current llama.cpp",
      cursor.path(), version);
  return version;
}

GgufType read_value_type(Cursor& cursor, const std::string& key) {
  const std::uint64_t start = cursor.position();
  const auto type = cursor.read<std::uint32_t>("a value's type");
  HONE_CHECK(DataError, type <= static_cast<std::uint32_t>(GgufType::kF64),
             "{}: metadata key '{}' has type {} at byte {}; types go from 0 to 12. The header is "
             "damaged; download the file again",
             cursor.path(), key, type, start);
  return static_cast<GgufType>(type);
}

GgufValue read_value(Cursor& cursor, const std::string& key) {
  GgufValue value{read_value_type(cursor, key), false, 1, nullptr};
  const std::string what = fmt::format("metadata key '{}'", key);
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    value.type = read_value_type(cursor, key);
    HONE_CHECK(DataError, value.type != GgufType::kArray,
               "{}: {} is an array of arrays, which no reader supports", cursor.path(), what);
    value.count = cursor.read<std::uint64_t>(what);
  }
  if (value.type == GgufType::kString) {
    value.data = cursor.take(0, what);
    for (std::uint64_t i = 0; i < value.count; ++i) cursor.read_string(what);
    return value;
  }
  std::uint64_t size_bytes = 0;
  const bool fits =
      !__builtin_mul_overflow(value.count, gguf_value_size_bytes(value.type), &size_bytes);
  HONE_CHECK(DataError, fits,
             "{}: {} has {} elements, more than can be. The header is damaged; download the file "
             "again",
             cursor.path(), what, value.count);
  value.data = cursor.take(size_bytes, what);
  return value;
}

std::uint64_t alignment_of(const GgufHeader& header, const std::string& path) {
  const auto found = header.metadata.find(kAlignmentKey);
  if (found == header.metadata.end()) return kDefaultAlignment;
  const GgufValue& value = found->second;
  HONE_CHECK(DataError, value.type == GgufType::kU32 && !value.is_array,
             "{}: metadata key '{}' is not a u32. The header is damaged; download the file again",
             path, kAlignmentKey);
  const auto alignment = load_unaligned<std::uint32_t>(value.data);
  HONE_CHECK(DataError, alignment >= 8 && std::has_single_bit(alignment),
             "{}: metadata key '{}' is {}, expected a power of two from 8", path, kAlignmentKey,
             alignment);
  return alignment;
}

/// Sets type, type name and size from the type's number and the shape.
void set_type(GgufTensor& tensor, std::uint32_t type, const Cursor& cursor) {
  const bool known = type < GGML_TYPE_COUNT && ggml_blck_size(static_cast<ggml_type>(type)) > 0;
  HONE_CHECK(DataError, known,
             "{}: tensor '{}' has the block type {}, which ggml {} does not know. The header is "
             "damaged, or the file is newer than this build of hone",
             cursor.path(), tensor.name, type, ggml_version());
  tensor.ggml_type = type;
  tensor.type_name = ggml_type_name(static_cast<ggml_type>(type));
  const std::int64_t block = ggml_blck_size(static_cast<ggml_type>(type));
  HONE_CHECK(DataError, row_size(tensor) % block == 0,
             "{}: tensor '{}' of type {} and shape {}: rows must be a multiple of {} elements",
             cursor.path(), tensor.name, tensor.type_name, shape_text(tensor.shape), block);
  const auto blocks = static_cast<std::uint64_t>(*num_elements(tensor.shape) / block);
  HONE_CHECK(DataError,
             !__builtin_mul_overflow(blocks, ggml_type_size(static_cast<ggml_type>(type)),
                                     &tensor.size_bytes),
             "{}: the size of tensor '{}' with shape {} does not fit 64 bits", cursor.path(),
             tensor.name, shape_text(tensor.shape));
}

struct TensorPlace {
  GgufTensor tensor;
  std::uint64_t offset;  // from the begin of the data
};

TensorPlace read_tensor_info(Cursor& cursor) {
  TensorPlace place{};
  GgufTensor& tensor = place.tensor;
  tensor.name = cursor.read_name("a tensor's name");
  const std::string what = fmt::format("tensor '{}'", tensor.name);
  const auto num_dims = cursor.read<std::uint32_t>(what);
  HONE_CHECK(DataError, num_dims <= GGML_MAX_DIMS,
             "{}: {} has {} dimensions; at most {} are possible. The header is damaged; download "
             "the file again",
             cursor.path(), what, num_dims, GGML_MAX_DIMS);
  for (std::uint32_t i = 0; i < num_dims; ++i)  // the file gives the fastest axis first
    tensor.shape.insert(tensor.shape.begin(), cursor.read<std::int64_t>(what));
  HONE_CHECK(DataError, num_elements(tensor.shape).has_value(),
             "{}: {} has the impossible shape {}. The header is damaged; download the file again",
             cursor.path(), what, shape_text(tensor.shape));
  set_type(tensor, cursor.read<std::uint32_t>(what), cursor);
  place.offset = cursor.read<std::uint64_t>(what);
  return place;
}

std::uint64_t padding(std::uint64_t position, std::uint64_t alignment) {
  return (alignment - position % alignment) % alignment;
}

/// Tensors follow one another in the order of the header, each aligned: llama.cpp reads no other
/// layout, and so every wrong offset is found. Nothing but padding follows the last one, so a wrong
/// count of tensors or keys, which would move where the data begins, is found as well.
void place_tensors(std::vector<TensorPlace>& places, Cursor& cursor, std::uint64_t alignment) {
  if (!places.empty())
    cursor.take(padding(cursor.position(), alignment), "the padding before the tensors");
  const std::uint64_t data_start = cursor.position();
  for (auto& [tensor, offset] : places) {
    const std::uint64_t expected = cursor.position() - data_start;
    const std::uint64_t gap = padding(expected, alignment);
    const std::string what = fmt::format("tensor '{}'", tensor.name);
    HONE_CHECK(DataError, offset == expected + gap,
               "{}: {} has offset {}, expected {} (after the tensor before it). The header is "
               "damaged; download the file again",
               cursor.path(), what, offset, expected + gap);
    cursor.take(gap, what);
    tensor.data = cursor.take(tensor.size_bytes, what);
  }
  HONE_CHECK(DataError, cursor.left() < alignment,
             "{}: {} bytes from byte {} on belong to no tensor; the header gives {} tensors. The "
             "file is damaged; download it again",
             cursor.path(), cursor.left(), cursor.position(), places.size());
}

}  // namespace

std::size_t gguf_value_size_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

GgufHeader read_gguf_header(const MappedFile& file) {
  Cursor cursor(file);
  GgufHeader header;
  header.version = read_magic_and_version(cursor);
  const auto num_tensors = cursor.read<std::uint64_t>("the number of tensors");
  const auto num_keys = cursor.read<std::uint64_t>("the number of metadata keys");
  for (std::uint64_t i = 0; i < num_keys; ++i) {
    const std::string key = cursor.read_name("a metadata key");
    const GgufValue value = read_value(cursor, key);
    HONE_CHECK(DataError, header.metadata.emplace(key, value).second,
               "{}: metadata key '{}' is given twice", cursor.path(), key);
  }
  std::vector<TensorPlace> places;
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < num_tensors; ++i) {
    places.push_back(read_tensor_info(cursor));
    HONE_CHECK(DataError, names.insert(places.back().tensor.name).second,
               "{}: tensor '{}' is given twice", cursor.path(), places.back().tensor.name);
  }
  place_tensors(places, cursor, alignment_of(header, cursor.path()));
  for (TensorPlace& place : places) header.tensors.push_back(std::move(place.tensor));
  return header;
}

}  // namespace hone::io
