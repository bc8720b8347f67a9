#include "quant/recipe.h"

#include <ATen/ops/equal.h>

#include "base/error.h"
#include "quant/maps.h"

namespace hone::quant {
namespace {

struct NamedFormat {
  Format format;
  const char* name;
};

constexpr NamedFormat kFormats[] = {{Format::kNone, "none"},
                                    {Format::kNf4, "nf4"},
                                    {Format::kFp4, "fp4"},
                                    {Format::kInt8, "int8"},
                                    {Format::kInt8Blockwise, "int8_blockwise"},
                                    {Format::kInt4, "int4"},
                                    {Format::kInt8Group, "int8_group"}};

}  // namespace

std::string format_name(Format format) {
  for (const NamedFormat& row : kFormats)
    if (row.format == format) return row.name;
  throw InternalError("a quantisation format without a name");
}

Format parse_format(const std::string& name) {
  std::string names;
  for (const NamedFormat& row : kFormats) {
    if (row.name == name) return row.format;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  throw ConfigError(fmt::format("no quantisation `{}`; there are {}", name, names));
}

bool is_four_bit(Format format) { return format == Format::kNf4 || format == Format::kFp4; }

bool is_integer_group(Format format) {
  return format == Format::kInt4 || format == Format::kInt8Group;
}

void check_fits(const Recipe& recipe, const std::string& name, std::int64_t columns) {
  HONE_CHECK(ConfigError, !is_integer_group(recipe.format) || columns % recipe.blocksize == 0,
             "{}: its rows have {} weights, which do not divide into groups of {}; expected a size "
             "of 32, 64 or 128 that divides them, or the layer among those that are skipped",
             name, columns, recipe.blocksize);
}

Recipe recipe_of(const kernels::PackedMatrix& matrix) {
  if (matrix.kind == kernels::PackedCodes::kInt8) return {.format = Format::kInt8};
  const bool eight_bit = matrix.kind == kernels::PackedCodes::kEightBit;
  for (const Format format :
       {Format::kNf4, Format::kFp4, Format::kInt8Blockwise, Format::kInt4, Format::kInt8Group}) {
    const at::Tensor& map = map_of(format);
    if ((map.numel() == 256) == eight_bit && at::equal(matrix.map.cpu(), map))
      return {.format = format,
              .blocksize = matrix.blocksize,
              .double_quantization = matrix.nested_absmax.defined(),
              .symmetric = !matrix.zeros.defined()};
  }
  throw InternalError("a packed matrix with a map of no format");
}

std::string describe(const Recipe& recipe) {
  if (recipe.format == Format::kNone) return "not quantised";
  if (recipe.format == Format::kInt8) return "int8 by row";
  if (is_integer_group(recipe.format))
    return fmt::format("{} in groups of {}, {}", format_name(recipe.format), recipe.blocksize,
                       recipe.symmetric ? "symmetric" : "with zero points");
  return fmt::format(
      "{} in blocks of {}{}", format_name(recipe.format), recipe.blocksize,
      is_four_bit(recipe.format) && recipe.double_quantization ? ", scales packed again" : "");
}

}  // namespace hone::quant
