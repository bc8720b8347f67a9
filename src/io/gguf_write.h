#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/gguf.h"

namespace hone::io {

/// A tensor that is to be written.
struct GgufTensorPlan {
  std::string name;
  std::vector<std::int64_t> shape;  ///< row by row, as in PyTorch
  std::uint32_t ggml_type;          ///< an `enum ggml_type`
  std::size_t size_bytes;
};

template <class T>
concept GgufNumber = std::integral<T> || std::floating_point<T>;

/// What stands before the data of a GGUF file (version 3): metadata, and the names, shapes and
/// types of the tensors, in the order in which they are added.
/// @source https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufContents {
 public:
  /// Each key once. @throws InternalError for a second one
  GgufContents& add(std::string_view key, std::string_view value);
  GgufContents& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  template <GgufNumber T>
  GgufContents& add(std::string_view key, T value) {
    return add_value(key, type_of<T>(), false, 1,
                     {reinterpret_cast<const char*>(&value), sizeof value});
  }
  GgufContents& add(std::string_view key, const std::vector<std::string>& values);
  GgufContents& add(std::string_view key, const std::vector<bool>& values);
  template <GgufNumber T>
  GgufContents& add(std::string_view key, const std::vector<T>& values) {
    return add_value(key, type_of<T>(), true, values.size(),
                     {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  }
  /// Another file's value as it is.
  GgufContents& add(std::string_view key, const GgufValue& value);

  /// @throws ShapeError where a row is no multiple of the type's block
  GgufContents& add_tensor(std::string_view name, const std::vector<std::int64_t>& shape,
                           std::uint32_t block_type);

  bool has(std::string_view key) const { return keys_.find(key) != keys_.end(); }
  const std::vector<GgufTensorPlan>& tensors() const { return tensors_; }

  /// The bytes of the file up to the first tensor's data.
  std::string header() const;

 private:
  template <class T>
  static constexpr GgufType type_of();
  GgufContents& add_value(std::string_view key, GgufType type, bool is_array, std::uint64_t count,
                          std::string_view bytes);

  std::set<std::string, std::less<>> keys_;
  std::string metadata_, places_;
  std::uint64_t data_bytes_ = 0;
  std::vector<GgufTensorPlan> tensors_;
};

/// Zero bytes that follow `size_bytes` of tensor data, so that the next tensor is aligned.
std::size_t gguf_padding(std::size_t size_bytes);

/// Writes a GGUF file from front to back, holding no tensor: the data comes in pieces of any size,
/// the tensors in the order of the contents. The file appears complete or not at all.
class GgufWriter {
 public:
  /// @throws IoError when the folder is missing or the disk refuses
  GgufWriter(const std::filesystem::path& path, const GgufContents& contents);

  /// The next bytes of the tensor at hand; padding is added where it is complete.
  /// @throws InternalError for more bytes than the tensors have
  void write(const void* data, std::size_t size_bytes);

  /// @throws InternalError where bytes are missing; IoError
  void commit();

 private:
  AtomicFile file_;
  std::vector<GgufTensorPlan> tensors_;
  std::size_t next_ = 0;     ///< the tensor at hand
  std::size_t written_ = 0;  ///< bytes of it
};

template <class T>
constexpr GgufType GgufContents::type_of() {
  if constexpr (std::same_as<T, bool>) return GgufType::kBool;
  if constexpr (std::same_as<T, float>) return GgufType::kF32;
  if constexpr (std::same_as<T, double>) return GgufType::kF64;
  constexpr GgufType kUnsigned[] = {GgufType::kU8, GgufType::kU16, GgufType::kU32, GgufType::kU64};
  constexpr GgufType kSigned[] = {GgufType::kI8, GgufType::kI16, GgufType::kI32, GgufType::kI64};
  constexpr std::size_t kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  return std::is_signed_v<T> ? kSigned[kLog] : kUnsigned[kLog];
}

}  // namespace hone::io
