#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace hone::io {

/// Types of metadata values, numbered as in the file.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

/// "u32", "string", ..., for messages.
std::string_view gguf_type_name(GgufType type);

/// A metadata value where it lies in the file, its extent checked. Nothing is copied until asked.
struct GgufValue {
  GgufType type;  ///< of the elements where is_array; never kArray
  bool is_array;
  std::uint64_t count;    ///< 1 where not is_array
  const std::byte* data;  ///< strings stand with their 64-bit lengths before them
};

/// A tensor of the file.
struct GgufTensor {
  std::string name;
  std::uint32_t ggml_type;          ///< an `enum ggml_type`
  std::string type_name;            ///< "q4_K", "f32", ...
  std::vector<std::int64_t> shape;  ///< row by row, as in PyTorch: a linear weight is [out, in]
  const std::byte* data;            ///< blocks, row by row
  std::size_t size_bytes;
};

/// A GGUF file (version 2 or 3), mapped into memory. The header is walked and checked by hone's own
/// reader; ggml supplies the block types.
/// @source https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile {
 public:
  /// @throws DataError naming file, byte offset, what stands there and what was expected
  explicit GgufFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  std::uint32_t version() const { return version_; }

  bool has(std::string_view key) const { return metadata_.find(key) != metadata_.end(); }
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }

  /// The getters throw DataError naming the key where it is missing or of another kind.
  std::string get_string(std::string_view key) const;
  std::uint64_t get_u64(std::string_view key) const;  ///< any integer type that is not negative
  double get_f64(std::string_view key) const;         ///< any number
  bool get_bool(std::string_view key) const;
  std::vector<std::string> get_strings(std::string_view key) const;
  std::vector<std::int64_t> get_ints(std::string_view key) const;  ///< any integer type, or bool
  std::vector<float> get_floats(std::string_view key) const;       ///< f32 or f64

  /// In the order of the file. The data holds as long as this object.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  /// nullptr where there is none of that name.
  const GgufTensor* find(std::string_view name) const;

 private:
  const GgufValue& value(std::string_view key) const;
  [[noreturn]] void refuse_kind(std::string_view key, std::string_view expected) const;

  MappedFile file_;
  std::uint32_t version_ = 0;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

/// Elements of the last axis, and how often that row comes; 1 and 1 without axes.
std::int64_t row_size(const GgufTensor& tensor);
std::int64_t num_rows(const GgufTensor& tensor);

/// Unpacks rows [first_row, first_row + count) to f32; any block type, float or integer type.
/// @param out [count, row_size(tensor)] f32
/// @throws DataError for a type that ggml never stores in files
void dequantize_rows(const GgufTensor& tensor, std::int64_t first_row, std::int64_t count,
                     float* out);

/// All rows. @param out as many f32 as the shape has elements
void dequantize(const GgufTensor& tensor, float* out);

}  // namespace hone::io
