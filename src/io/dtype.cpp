#include "io/dtype.h"

#include <fmt/ranges.h>

#include <array>
#include <bit>

#include "base/error.h"

namespace hone::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::size_t size_bytes;
};

constexpr std::array kDTypes = {
    DTypeRow{DType::kBool, "BOOL", 1},
    DTypeRow{DType::kU8, "U8", 1},
    DTypeRow{DType::kI8, "I8", 1},
    DTypeRow{DType::kF8E5M2, "F8_E5M2", 1},
    DTypeRow{DType::kF8E4M3, "F8_E4M3", 1},
    DTypeRow{DType::kF8E8M0, "F8_E8M0", 1},
    DTypeRow{DType::kF8E4M3FNUZ, "F8_E4M3FNUZ", 1},
    DTypeRow{DType::kF8E5M2FNUZ, "F8_E5M2FNUZ", 1},
    DTypeRow{DType::kI16, "I16", 2},
    DTypeRow{DType::kU16, "U16", 2},
    DTypeRow{DType::kF16, "F16", 2},
    DTypeRow{DType::kBF16, "BF16", 2},
    DTypeRow{DType::kI32, "I32", 4},
    DTypeRow{DType::kU32, "U32", 4},
    DTypeRow{DType::kF32, "F32", 4},
    DTypeRow{DType::kC64, "C64", 8},
    DTypeRow{DType::kF64, "F64", 8},
    DTypeRow{DType::kI64, "I64", 8},
    DTypeRow{DType::kU64, "U64", 8},
};

const DTypeRow& row(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  HONE_ASSERT(index < kDTypes.size() && kDTypes[index].dtype == dtype, "dtype {}", index);
  return kDTypes[index];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }

std::size_t dtype_size_bytes(DType dtype) { return row(dtype).size_bytes; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeRow& each : kDTypes)
    if (each.name == name) return each.dtype;
  return std::nullopt;
}

std::string dtype_names() {
  std::vector<std::string_view> names;
  for (const DTypeRow& each : kDTypes) names.push_back(each.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::optional<std::int64_t> num_elements(const std::vector<std::int64_t>& shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(product, size, &product)) return std::nullopt;
  return product;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace hone::io
