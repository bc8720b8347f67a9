#pragma once

#include "quant/recipe.h"

namespace hone::quant {

/// What the integers of each group are multiplied by, and what is taken from them before.
struct GroupScales {
  at::Tensor scales;  ///< [rows, groups] f32, each a number that bf16 holds
  at::Tensor zeros;   ///< [rows, groups] f32, integers of the format; undefined where symmetric
};

/// The scales at which groups reach their ends: symmetric ones from −7.5 to 7.5 (−127.5 to 127.5)
/// scales, the others from their least number to their largest, with 0 among them. They are rounded
/// to bf16, which is what checkpoints keep them in, before a code is chosen by them. A group of
/// zeros has the scale 1.
/// @param groups [rows, groups, size] f32
/// @source compressed-tensors' calculate_qparams; torchao's get_group_qparams_symmetric
GroupScales group_scales(const at::Tensor& groups, const Recipe& recipe);

/// The integers before they are cut to the format's range: round(w / scale + zero), ties to even.
/// @param groups [rows, groups, size] f32
at::Tensor uncut_integers(const at::Tensor& groups, const GroupScales& scales);

/// Cuts integers to the format's range and packs them.
/// @param integers [rows, columns] f32
kernels::PackedMatrix pack_integers(const at::Tensor& integers, const GroupScales& scales,
                                    const Recipe& recipe);

/// The nearest integers at each group's own scale.
/// @param weight [rows, columns] f32
/// @throws ConfigError where the groups do not divide the rows
kernels::PackedMatrix pack_groups(const at::Tensor& weight, const Recipe& recipe);

/// The places of the numbers whose integer was cut, as rows · columns counts them. [cut] i64
/// @param weight what pack_groups made `packed` of
at::Tensor places_cut(const at::Tensor& weight, const kernels::PackedMatrix& packed);

}  // namespace hone::quant
