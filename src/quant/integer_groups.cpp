#include "quant/integer_groups.h"

#include <torch/types.h>

#include "quant/maps.h"

namespace hone::quant {
namespace {

using torch::Tensor;

struct Range {
  double low, high;
};

Range range_of(Format format) { return format == Format::kInt4 ? Range{-8, 7} : Range{-128, 127}; }

Tensor in_groups(const Tensor& weight, std::int64_t size) {
  return weight.to(torch::kFloat32).unflatten(1, {-1, size});
}

}  // namespace

GroupScales group_scales(const Tensor& groups, const Recipe& recipe) {
  const auto [low, high] = range_of(recipe.format);
  const Tensor least = groups.amin(-1).clamp_max(0), most = groups.amax(-1).clamp_min(0);
  const Tensor reach = recipe.symmetric ? at::maximum(least.neg(), most) / ((high - low) / 2)
                                        : (most - least) / (high - low);
  const Tensor stored = reach.to(torch::kBFloat16).to(torch::kFloat32);
  GroupScales made{at::where(stored > 0, stored, torch::ones_like(stored)), {}};
  if (!recipe.symmetric) made.zeros = (low - least / made.scales).round().clamp(low, high);
  return made;
}

Tensor uncut_integers(const Tensor& groups, const GroupScales& scales) {
  const Tensor scaled = groups / scales.scales.unsqueeze(-1);
  return (scales.zeros.defined() ? scaled + scales.zeros.unsqueeze(-1) : scaled).round();
}

kernels::PackedMatrix pack_integers(const Tensor& integers, const GroupScales& scales,
                                    const Recipe& recipe) {
  const auto [low, high] = range_of(recipe.format);
  kernels::PackedMatrix matrix;
  matrix.rows = integers.size(0);
  matrix.columns = integers.size(1);
  matrix.blocksize = recipe.blocksize;
  matrix.map = integer_map(recipe.format).to(integers.device());
  matrix.absmax = scales.scales.flatten().contiguous();
  if (scales.zeros.defined()) matrix.zeros = scales.zeros.flatten().contiguous();
  const Tensor codes = (integers.clamp(low, high) - low).to(torch::kUInt8).flatten();
  if (recipe.format == Format::kInt8Group) {
    matrix.kind = kernels::PackedCodes::kEightBit;
    matrix.codes = codes;
  } else {
    matrix.kind = kernels::PackedCodes::kFourBit;
    const Tensor pairs = codes.view({-1, 2});
    matrix.codes = pairs.select(1, 0) * 16 + pairs.select(1, 1);
  }
  return matrix;
}

kernels::PackedMatrix pack_groups(const Tensor& weight, const Recipe& recipe) {
  check_fits(recipe, "a matrix", weight.size(1));
  const Tensor groups = in_groups(weight, recipe.blocksize);
  const GroupScales scales = group_scales(groups, recipe);
  return pack_integers(uncut_integers(groups, scales).flatten(1), scales, recipe);
}

Tensor places_cut(const Tensor& weight, const kernels::PackedMatrix& packed) {
  const auto [low, high] = range_of(recipe_of(packed).format);
  const std::vector<std::int64_t> sizes = {packed.rows, packed.columns / packed.blocksize};
  const GroupScales scales{packed.absmax.view(sizes),
                           packed.zeros.defined() ? packed.zeros.view(sizes) : Tensor()};
  const Tensor integers = uncut_integers(in_groups(weight, packed.blocksize), scales);
  return integers.lt(low).logical_or_(integers.gt(high)).flatten().nonzero().flatten();
}

}  // namespace hone::quant
