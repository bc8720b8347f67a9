#include "quant/calibrate.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "quant/integer_groups.h"
#include "quant/quantize.h"

namespace hone::quant {
namespace {

using kernels::PackedMatrix;
using torch::Tensor;

/// The shares of a block's ends that are tried: 1, 0.975, … 0.6.
constexpr int kClipSteps = 17;
constexpr double kClipStep = 0.025;
/// Of the mean of the Gram matrix's diagonal, added to it, so that it has an inverse.
constexpr double kDamping = 0.01;

double norm_of_output(const Tensor& weight, const Tensor& gram_II) {
  const Tensor wide = weight.to(torch::kFloat64);
  const double squared = (wide.mm(gram_II.to(torch::kFloat64)) * wide).sum().item<double>();
  return std::sqrt(std::max(squared, 0.0));
}

/// A matrix whose numbers stay within a share of their block's ends.
Tensor clipped(const Tensor& weight, const Recipe& recipe, double share) {
  const bool by_row = recipe.format == Format::kInt8;
  const std::int64_t size = by_row ? weight.size(1) : recipe.blocksize, count = weight.numel();
  const std::int64_t short_by = (size - count % size) % size;
  const Tensor blocks =
      torch::constant_pad_nd(weight.to(torch::kFloat32).flatten(), {0, short_by}).view({-1, size});
  Tensor low = blocks.amin(1, true).clamp_max(0), high = blocks.amax(1, true).clamp_min(0);
  if (!is_integer_group(recipe.format) || recipe.symmetric) {
    high = at::maximum(low.neg(), high);
    low = high.neg();
  }
  return blocks.clamp(low * share, high * share).flatten().narrow(0, 0, count).view_as(weight);
}

PackedMatrix best_clipped(const Tensor& weight, const Tensor& gram_II, const Recipe& recipe,
                          Calibrated& found) {
  PackedMatrix best;
  for (int i = 0; i < kClipSteps; ++i) {
    const double share = 1 - kClipStep * i;
    const PackedMatrix tried = quantize(clipped(weight, recipe, share), recipe);
    const double error = output_error(weight, kernels::dequantize(tried, torch::kFloat32), gram_II);
    if (i > 0 && error >= found.output_error) continue;
    found.output_error = error;
    found.clip = share;
    best = tried;
  }
  return best;
}

/// The upper Cholesky factor of the inverse of XᵀX: its row i tells how the columns behind i make
/// good what is lost in i.
Tensor factor_of_inverse(const Tensor& gram_II) {
  Tensor damped = gram_II.to(torch::kFloat64).clone();
  Tensor diagonal = damped.diagonal();
  const Tensor mean = diagonal.mean();
  diagonal.masked_fill_(diagonal == 0, mean.item<double>());  // inputs that are always 0
  diagonal.add_(kDamping * mean);
  const Tensor inverse = torch::cholesky_inverse(torch::linalg_cholesky(damped));
  return torch::linalg_cholesky(inverse, /*upper=*/true).to(torch::kFloat32);
}

/// Rounds one group of columns, each knowing the errors of those before it.
/// @param group  [rows, size], overwritten
/// @param factor [size, size], the part of the factor that is this group's own
/// @param scales [rows, 1]
/// @return [rows, size] the integers, and in `group` each column's error over its factor
Tensor round_group(Tensor& group, const Tensor& factor, const GroupScales& scales,
                   const Recipe& recipe) {
  const Tensor integers = torch::empty_like(group);
  for (std::int64_t c = 0; c < group.size(1); ++c) {
    const Tensor column = group.select(1, c);
    const double low = recipe.format == Format::kInt4 ? -8 : -128, high = -low - 1;
    const Tensor rounded =
        uncut_integers(column.view({-1, 1, 1}), scales).view({-1}).clamp(low, high);
    integers.select(1, c).copy_(rounded);
    const Tensor scale = scales.scales.view({-1});
    const Tensor number =
        (scales.zeros.defined() ? rounded - scales.zeros.view({-1}) : rounded) * scale;
    const Tensor error = (column - number) / factor[c][c];
    group.slice(1, c + 1).sub_(error.outer(factor[c].slice(0, c + 1)));
    group.select(1, c).copy_(error);
  }
  return integers;
}

PackedMatrix gptq(const Tensor& weight, const Tensor& gram_II, const Recipe& recipe) {
  HONE_CHECK(ConfigError, is_integer_group(recipe.format),
             "gptq rounds integers by group (int4, int8_group), not {}; take clip",
             format_name(recipe.format));
  check_fits(recipe, "a matrix", weight.size(1));
  const Tensor factor = factor_of_inverse(gram_II);
  const Tensor left = weight.to(torch::kFloat32).clone();
  const std::int64_t size = recipe.blocksize;
  std::vector<Tensor> integers, scales, zeros;
  for (std::int64_t at = 0; at < left.size(1); at += size) {
    Tensor group = left.narrow(1, at, size);
    const GroupScales own = group_scales(group.unsqueeze(1), recipe);
    integers.push_back(
        round_group(group, factor.narrow(0, at, size).narrow(1, at, size), own, recipe));
    left.slice(1, at + size).sub_(group.mm(factor.narrow(0, at, size).slice(1, at + size)));
    scales.push_back(own.scales);
    if (own.zeros.defined()) zeros.push_back(own.zeros);
  }
  return pack_integers(torch::cat(integers, 1),
                       {torch::cat(scales, 1), zeros.empty() ? Tensor() : torch::cat(zeros, 1)},
                       recipe);
}

}  // namespace

std::string rounding_name(Rounding rounding) {
  if (rounding == Rounding::kNearest) return "nearest";
  return rounding == Rounding::kClip ? "clip" : "gptq";
}

Rounding parse_rounding(const std::string& name) {
  for (const Rounding rounding : {Rounding::kNearest, Rounding::kClip, Rounding::kGptq})
    if (rounding_name(rounding) == name) return rounding;
  throw ConfigError(fmt::format("no rounding `{}`; there are nearest, clip, gptq", name));
}

double output_error(const Tensor& exact, const Tensor& kept, const Tensor& gram_II) {
  const double lost = norm_of_output(kept.to(torch::kFloat64) - exact, gram_II);
  return lost == 0 ? 0 : lost / norm_of_output(exact, gram_II);
}

Calibrated calibrate(const Tensor& weight, const Tensor& gram_II, const Recipe& recipe,
                     Rounding rounding) {
  const torch::NoGradGuard no_grad;
  Calibrated found;
  const PackedMatrix nearest = quantize(weight, recipe);
  const auto error_of_output = [&](const PackedMatrix& packed) {
    return output_error(weight, kernels::dequantize(packed, torch::kFloat32), gram_II);
  };
  found.output_error = found.nearest_error = error_of_output(nearest);
  const bool has_inputs = gram_II.diagonal().ne(0).any().item<bool>();
  if (rounding == Rounding::kNearest || !has_inputs) {
    found.matrix = nearest;
  } else if (rounding == Rounding::kClip) {
    found.matrix = best_clipped(weight, gram_II, recipe, found);
  } else {
    found.matrix = gptq(weight, gram_II, recipe);
    found.output_error = error_of_output(found.matrix);
  }
  return found;
}

}  // namespace hone::quant
