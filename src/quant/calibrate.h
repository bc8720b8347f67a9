#pragma once

#include <string>

#include "quant/recipe.h"

namespace hone::quant {

/// How a matrix is packed where it is known what it is multiplied with.
enum class Rounding {
  kNearest,  ///< each number to the nearest that its block has
  kClip,     ///< the same, after the blocks' ends are cut to the share that costs the output least
  kGptq,     ///< column by column, the error of each made good in those to come (arXiv:2210.17323)
};

/// "nearest", "clip", "gptq".
/// @throws ConfigError
Rounding parse_rounding(const std::string& name);
std::string rounding_name(Rounding rounding);

/// What X Wᵀ loses: ‖X(W − Ŵ)ᵀ‖ / ‖X Wᵀ‖, 0 where both are.
/// @param exact,kept [rows, columns], W and Ŵ
/// @param gram_II [columns, columns] f32, XᵀX
double output_error(const at::Tensor& exact, const at::Tensor& kept, const at::Tensor& gram_II);

/// A packed matrix, and how it was come by.
struct Calibrated {
  kernels::PackedMatrix matrix;
  double clip = 1;           ///< share of each block's ends that was kept
  double output_error = 0;   ///< of X Wᵀ, as above
  double nearest_error = 0;  ///< the same, were each number rounded to the nearest
};

/// Packs a matrix for the inputs that it will meet.
/// @param weight [rows, columns], on the CPU
/// @param gram_II [columns, columns] f32, XᵀX over the calibration rows
/// @throws ConfigError for kGptq with a format that is not of integers by group
/// @throws DataError   where a number is not finite
Calibrated calibrate(const at::Tensor& weight, const at::Tensor& gram_II, const Recipe& recipe,
                     Rounding rounding);

}  // namespace hone::quant
