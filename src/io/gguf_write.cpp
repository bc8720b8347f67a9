#include "io/gguf_write.h"

#include <ggml.h>

#include <algorithm>

#include "base/error.h"
#include "io/dtype.h"
#include "io/gguf_header.h"

namespace hone::io {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kAlignment = 32;  // the format's own where `general.alignment` is not given
constexpr char kZeros[kAlignment] = {};

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& bytes, std::string_view text) {
  append(bytes, std::uint64_t{text.size()});
  bytes += text;
}

/// The bytes of another file's value, behind its type and count.
std::string_view bytes_of(const GgufValue& value) {
  const auto* begin = reinterpret_cast<const char*>(value.data);
  const std::byte* end = value.data;
  if (value.type != GgufType::kString)
    return {begin, value.count * gguf_value_size_bytes(value.type)};
  for (std::uint64_t i = 0; i < value.count; ++i)
    end += sizeof(std::uint64_t) + load_unaligned<std::uint64_t>(end);
  return {begin, static_cast<std::size_t>(end - value.data)};
}

}  // namespace

std::size_t gguf_padding(std::size_t size_bytes) {
  return (kAlignment - size_bytes % kAlignment) % kAlignment;
}

GgufContents& GgufContents::add_value(std::string_view key, GgufType type, bool is_array,
                                      std::uint64_t count, std::string_view bytes) {
  HONE_ASSERT(keys_.emplace(key).second, "the metadata key '{}' is given twice", key);
  append_text(metadata_, key);
  if (is_array) append(metadata_, static_cast<std::uint32_t>(GgufType::kArray));
  append(metadata_, static_cast<std::uint32_t>(type));
  if (is_array) append(metadata_, count);
  metadata_ += bytes;
  return *this;
}

GgufContents& GgufContents::add(std::string_view key, std::string_view value) {
  std::string bytes;
  append_text(bytes, value);
  return add_value(key, GgufType::kString, false, 1, bytes);
}

GgufContents& GgufContents::add(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) append_text(bytes, value);
  return add_value(key, GgufType::kString, true, values.size(), bytes);
}

GgufContents& GgufContents::add(std::string_view key, const std::vector<bool>& values) {
  std::string bytes;
  for (const bool value : values) bytes.push_back(value ? '\1' : '\0');
  return add_value(key, GgufType::kBool, true, values.size(), bytes);
}

GgufContents& GgufContents::add(std::string_view key, const GgufValue& value) {
  return add_value(key, value.type, value.is_array, value.count, bytes_of(value));
}

GgufContents& GgufContents::add_tensor(std::string_view name,
                                       const std::vector<std::int64_t>& shape,
                                       std::uint32_t block_type) {
  const auto type = static_cast<ggml_type>(block_type);
  const std::int64_t columns = shape.empty() ? 1 : shape.back();
  HONE_CHECK(ShapeError, columns % ggml_blck_size(type) == 0,
             "tensor '{}' of shape {}: rows of {} are a multiple of {} elements", name,
             shape_text(shape), ggml_type_name(type), ggml_blck_size(type));
  HONE_ASSERT(name.size() < GGML_MAX_NAME && shape.size() <= GGML_MAX_DIMS, "tensor '{}' {}", name,
              shape_text(shape));
  const auto rows =
      static_cast<std::size_t>(*num_elements(shape) / std::max<std::int64_t>(columns, 1));
  tensors_.push_back({std::string(name), shape, block_type, rows * ggml_row_size(type, columns)});
  append_text(places_, name);
  append(places_, static_cast<std::uint32_t>(shape.size()));
  for (auto axis = shape.rbegin(); axis != shape.rend(); ++axis) append(places_, *axis);
  append(places_, block_type);
  append(places_, data_bytes_);
  data_bytes_ += tensors_.back().size_bytes + gguf_padding(tensors_.back().size_bytes);
  return *this;
}

std::string GgufContents::header() const {
  std::string header = "GGUF";
  append(header, kVersion);
  append(header, std::uint64_t{tensors_.size()});
  append(header, std::uint64_t{keys_.size()});
  header += metadata_;
  header += places_;
  if (!tensors_.empty()) header.append(gguf_padding(header.size()), '\0');
  return header;
}

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufContents& contents)
    : file_(path), tensors_(contents.tensors()) {
  file_.write(contents.header());
}

void GgufWriter::write(const void* data, std::size_t size_bytes) {
  const auto* bytes = static_cast<const char*>(data);
  while (size_bytes > 0) {
    HONE_ASSERT(next_ < tensors_.size(), "{} bytes more than the tensors have", size_bytes);
    const std::size_t whole = tensors_[next_].size_bytes;
    const std::size_t part = std::min(size_bytes, whole - written_);
    file_.write(bytes, part);
    bytes += part;
    size_bytes -= part;
    written_ += part;
    if (written_ < whole) continue;
    file_.write(kZeros, gguf_padding(whole));
    written_ = 0;
    ++next_;
  }
}

void GgufWriter::commit() {
  HONE_ASSERT(next_ == tensors_.size(), "tensor '{}' has {} of {} bytes", tensors_[next_].name,
              written_, tensors_[next_].size_bytes);
  file_.commit();
}

}  // namespace hone::io
