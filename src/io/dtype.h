#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::io {

/// Element types of stored tensors. The order is safetensors' own ("descending alignment" when
/// written means descending in this list), so comparing two of them is comparing as it does.
/// @source safetensors 0.8, `Dtype`
enum class DType : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};

/// The name in a safetensors header: "F32", "BF16", "F8_E4M3", "BOOL", ...
std::string_view dtype_name(DType dtype);

/// Bytes of one element.
std::size_t dtype_size_bytes(DType dtype);

/// The type of that name; none where it is not one of the above.
std::optional<DType> parse_dtype(std::string_view name);

/// All names, for messages: "BOOL, U8, ...".
std::string dtype_names();

/// A tensor whose bytes belong to someone else, usually a mapped file that must outlive the view.
/// Elements stand row by row, little-endian. `data` need not be aligned for the element type.
struct TensorView {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  const std::byte* data;
  std::size_t size_bytes;
};

/// Number of elements; 1 for a shape without dimensions.
/// @return none where a dimension is negative or the product does not fit 64 bits
std::optional<std::int64_t> num_elements(const std::vector<std::int64_t>& shape);

/// "[3, 4]", for messages.
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace hone::io
