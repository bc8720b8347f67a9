#include "io/gguf.h"

#include <limits>

#include "base/error.h"
#include "io/gguf_header.h"
#include "io/input_file.h"

namespace hone::io {
namespace {

MappedFile map_checked(const std::filesystem::path& path) {
  require_file(path, "a GGUF file");
  return MappedFile(path);
}

bool is_signed(GgufType type) {
  return type == GgufType::kI8 || type == GgufType::kI16 || type == GgufType::kI32 ||
         type == GgufType::kI64;
}

bool is_integer(GgufType type) {
  return is_signed(type) || type == GgufType::kU8 || type == GgufType::kU16 ||
         type == GgufType::kU32 || type == GgufType::kU64;
}

bool is_float(GgufType type) { return type == GgufType::kF32 || type == GgufType::kF64; }

/// Element `i` of a value of numbers or bools, converted to T.
template <class T>
T number_at(const GgufValue& value, std::uint64_t i) {
  const auto load = [&]<class Stored>(Stored) {
    return static_cast<T>(load_unaligned<Stored>(value.data + i * sizeof(Stored)));
  };
  switch (value.type) {
    case GgufType::kU8:
      return load(std::uint8_t{});
    case GgufType::kI8:
      return load(std::int8_t{});
    case GgufType::kU16:
      return load(std::uint16_t{});
    case GgufType::kI16:
      return load(std::int16_t{});
    case GgufType::kU32:
      return load(std::uint32_t{});
    case GgufType::kI32:
      return load(std::int32_t{});
    case GgufType::kU64:
      return load(std::uint64_t{});
    case GgufType::kI64:
      return load(std::int64_t{});
    case GgufType::kF32:
      return load(float{});
    case GgufType::kF64:
      return load(double{});
    case GgufType::kBool:
      return static_cast<T>(load_unaligned<std::uint8_t>(value.data + i) != 0);
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  HONE_ASSERT(false, "{} is no number", gguf_type_name(value.type));
}

/// "an array of 4 u32", "a string", "i32 -7", for messages.
std::string kind_text(const GgufValue& value) {
  const std::string_view type = gguf_type_name(value.type);
  if (value.is_array) return fmt::format("an array of {} {}", value.count, type);
  if (value.type == GgufType::kString) return "a string";
  return fmt::format("{} {}", type, number_at<double>(value, 0));
}

/// The string at `data`; moves `data` behind it. Its length was checked when the header was read.
std::string next_string(const std::byte*& data) {
  const auto length = load_unaligned<std::uint64_t>(data);
  std::string text(reinterpret_cast<const char*>(data + sizeof length), length);
  data += sizeof length + length;
  return text;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<std::uint32_t>(type)];
}

GgufFile::GgufFile(const std::filesystem::path& path) : file_(map_checked(path)) {
  GgufHeader header = read_gguf_header(file_);
  version_ = header.version;
  metadata_ = std::move(header.metadata);
  tensors_ = std::move(header.tensors);
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const GgufValue& GgufFile::value(std::string_view key) const {
  const auto found = metadata_.find(key);
  HONE_CHECK(DataError, found != metadata_.end(),
             "{}: lacks the metadata key '{}'. Convert the model again with a current llama.cpp",
             path().string(), key);
  return found->second;
}

void GgufFile::refuse_kind(std::string_view key, std::string_view expected) const {
  const GgufValue& found = value(key);
  throw DataError(fmt::format("{}: metadata key '{}' is {}, expected {}", path().string(), key,
                              kind_text(found), expected));
}

std::string GgufFile::get_string(std::string_view key) const {
  const GgufValue& found = value(key);
  if (found.is_array || found.type != GgufType::kString) refuse_kind(key, "a string");
  const std::byte* data = found.data;
  return next_string(data);
}

std::uint64_t GgufFile::get_u64(std::string_view key) const {
  const GgufValue& found = value(key);
  const bool fits = !found.is_array && is_integer(found.type) &&
                    (!is_signed(found.type) || number_at<std::int64_t>(found, 0) >= 0);
  if (!fits) refuse_kind(key, "an integer that is not negative");
  return number_at<std::uint64_t>(found, 0);
}

double GgufFile::get_f64(std::string_view key) const {
  const GgufValue& found = value(key);
  if (found.is_array || !(is_integer(found.type) || is_float(found.type)))
    refuse_kind(key, "a number");
  return number_at<double>(found, 0);
}

bool GgufFile::get_bool(std::string_view key) const {
  const GgufValue& found = value(key);
  if (found.is_array || found.type != GgufType::kBool) refuse_kind(key, "a bool");
  return number_at<bool>(found, 0);
}

std::vector<std::string> GgufFile::get_strings(std::string_view key) const {
  const GgufValue& found = value(key);
  if (!found.is_array || found.type != GgufType::kString) refuse_kind(key, "an array of strings");
  std::vector<std::string> strings;
  strings.reserve(found.count);
  const std::byte* data = found.data;
  for (std::uint64_t i = 0; i < found.count; ++i) strings.push_back(next_string(data));
  return strings;
}

std::vector<std::int64_t> GgufFile::get_ints(std::string_view key) const {
  const GgufValue& found = value(key);
  if (!found.is_array || !(is_integer(found.type) || found.type == GgufType::kBool))
    refuse_kind(key, "an array of integers");
  std::vector<std::int64_t> ints(found.count);
  for (std::uint64_t i = 0; i < found.count; ++i) {
    ints[i] = number_at<std::int64_t>(found, i);
    if (found.type == GgufType::kU64 && ints[i] < 0) refuse_kind(key, "integers below 2^63");
  }
  return ints;
}

std::vector<float> GgufFile::get_floats(std::string_view key) const {
  const GgufValue& found = value(key);
  if (!found.is_array || !is_float(found.type)) refuse_kind(key, "an array of floats");
  std::vector<float> floats(found.count);
  for (std::uint64_t i = 0; i < found.count; ++i) floats[i] = number_at<float>(found, i);
  return floats;
}

}  // namespace hone::io
