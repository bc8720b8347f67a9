#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::test {

/// Builds the bytes of a GGUF file (version 3) that holds metadata and no tensors.
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

  std::string content() const {
    GgufWriter header;
    header.body_ = "GGUF";
    header.raw(std::uint32_t{3}).raw(std::uint64_t{0}).raw(count_);
    return header.body_ + body_;
  }

 private:
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

  std::string body_;
  std::uint64_t count_ = 0;
};

}  // namespace hone::test
