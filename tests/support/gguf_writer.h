#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::test {

/// Builds the bytes of a GGUF file (version 3): metadata, and tensors in the order they are added.
class GgufWriter {
 public:
  GgufWriter& add(std::string_view key, std::string_view value) {
    return begin(key, 8).text(value);
  }
  GgufWriter& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  GgufWriter& add(std::string_view key, bool value) {
    begin(key, 7);
    body_.push_back(value ? '\1' : '\0');
    return *this;
  }
  GgufWriter& add(std::string_view key, std::uint32_t value) { return begin(key, 4).raw(value); }
  GgufWriter& add(std::string_view key, float value) { return begin(key, 6).raw(value); }
  GgufWriter& add(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, 8, values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  GgufWriter& add(std::string_view key, const std::vector<float>& values) {
    begin_array(key, 6, values.size());
    for (const float value : values) raw(value);
    return *this;
  }
  GgufWriter& add(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, 5, values.size());
    for (const std::int32_t value : values) raw(value);
    return *this;
  }
  GgufWriter& add_bytes(std::string_view key, std::string_view bytes) {
    begin_array(key, 0, bytes.size());
    body_ += bytes;
    return *this;
  }

  /// @param shape as in PyTorch, row by row
  /// @param type  an `enum ggml_type`, whose blocks `data` holds
  GgufWriter& add_tensor(std::string_view name, const std::vector<std::int64_t>& shape,
                         std::uint32_t type, std::string_view data) {
    GgufWriter info;
    info.text(name).raw(static_cast<std::uint32_t>(shape.size()));
    for (auto axis = shape.rbegin(); axis != shape.rend(); ++axis) info.raw(*axis);
    info.raw(type).raw(std::uint64_t{data_.size()});
    infos_ += info.body_;
    data_ += data;
    data_.append(padding(data_.size()), '\0');
    ++tensors_;
    return *this;
  }
  GgufWriter& add_tensor(std::string_view name, const std::vector<std::int64_t>& shape,
                         const std::vector<float>& values) {
    return add_tensor(
        name, shape, 0,
        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  std::string content() const {
    GgufWriter header;
    header.body_ = "GGUF";
    header.raw(std::uint32_t{3}).raw(tensors_).raw(count_);
    std::string content = header.body_ + body_ + infos_;
    if (tensors_ > 0) content.append(padding(content.size()), '\0');
    return content + data_;
  }

 private:
  static std::size_t padding(std::size_t size) { return (32 - size % 32) % 32; }

  // Numbers are the types of the format.
  GgufWriter& begin(std::string_view key, std::uint32_t type) {
    ++count_;
    return text(key).raw(type);
  }
  GgufWriter& begin_array(std::string_view key, std::uint32_t type, std::uint64_t count) {
    return begin(key, 9).raw(type).raw(count);
  }
  GgufWriter& text(std::string_view value) {
    raw(std::uint64_t{value.size()});
    body_ += value;
    return *this;
  }
  template <class T>
  GgufWriter& raw(T value) {
    body_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }

  std::string body_, infos_, data_;
  std::uint64_t count_ = 0, tensors_ = 0;
};

}  // namespace hone::test
