#include "quant/outline.h"

#include <ATen/ops/empty.h>

#include "base/error.h"
#include "quant/maps.h"

namespace hone::quant {
namespace {

using kernels::PackedCodes;

at::Tensor vector_of(std::int64_t size, at::ScalarType dtype) {
  return at::empty({size}, at::TensorOptions(at::kMeta).dtype(dtype));
}

std::int64_t parts_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

/// Blocks of scales that are packed again.
constexpr std::int64_t kNestedBlock = 256;

}  // namespace

kernels::PackedMatrix outline_of(std::int64_t rows, std::int64_t columns, const Recipe& recipe) {
  HONE_ASSERT(recipe.format != Format::kNone && !is_integer_group(recipe.format), "{}",
              format_name(recipe.format));
  const std::int64_t count = rows * columns;
  const bool four_bit = is_four_bit(recipe.format), by_row = recipe.format == Format::kInt8;
  kernels::PackedMatrix matrix;
  matrix.kind = four_bit ? PackedCodes::kFourBit
                : by_row ? PackedCodes::kInt8
                         : PackedCodes::kEightBit;
  if (!by_row) matrix.map = four_bit ? four_bit_map(recipe.format) : dynamic_map();
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.blocksize = by_row ? columns : recipe.blocksize;
  matrix.codes = vector_of(four_bit ? parts_of(count, 2) : count, at::kByte);
  const std::int64_t scales = by_row ? rows : parts_of(count, recipe.blocksize);
  const bool nested = four_bit && recipe.double_quantization && count > 0;
  matrix.absmax = vector_of(scales, nested ? at::kByte : at::kFloat);
  if (nested) {
    matrix.nested_absmax = vector_of(parts_of(scales, kNestedBlock), at::kFloat);
    matrix.offset = vector_of(1, at::kFloat);
  }
  return matrix;
}

}  // namespace hone::quant
