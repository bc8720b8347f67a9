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
                                    {Format::kInt8Blockwise, "int8_blockwise"}};

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

Recipe recipe_of(const kernels::PackedMatrix& matrix) {
  if (matrix.kind == kernels::PackedCodes::kInt8) return {.format = Format::kInt8};
  if (matrix.kind == kernels::PackedCodes::kEightBit)
    return {.format = Format::kInt8Blockwise, .blocksize = matrix.blocksize};
  const bool nf4 = at::equal(matrix.map.cpu(), four_bit_map(Format::kNf4));
  return {.format = nf4 ? Format::kNf4 : Format::kFp4,
          .blocksize = matrix.blocksize,
          .double_quantization = matrix.nested_absmax.defined()};
}

std::string describe(const Recipe& recipe) {
  if (recipe.format == Format::kNone) return "not quantised";
  if (recipe.format == Format::kInt8) return "int8 by row";
  return fmt::format(
      "{} in blocks of {}{}", format_name(recipe.format), recipe.blocksize,
      is_four_bit(recipe.format) && recipe.double_quantization ? ", scales packed again" : "");
}

}  // namespace hone::quant
