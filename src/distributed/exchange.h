#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/group.h"

namespace hone::distributed {

// What ranks have to tell each other besides tensors of one shape. Alone, all of it is over at once
// and changes nothing.

/// Tensors become their sums over all ranks, in buffers of up to kBucketBytes: those of an adapter
/// are one all-reduce.
/// @param tensors of the same shapes on all ranks; those of fewer bits are added up in f32
/// @param dtype that they are sent in: see sum_bucket()
void sum_tensors(const Group& group, std::span<const Tensor> tensors, std::string_view what,
                 torch::Dtype dtype = torch::kFloat32);
inline constexpr std::int64_t kBucketBytes = std::int64_t{64} << 20;

/// The same in one buffer, however large, sent in `dtype`. As bf16 a number x = Σ x_r comes out off
/// by at most 2⁻⁸ (Σ |x_r| + |x|), but for what fp32 loses in the sum: each rank's part is rounded,
/// the parts are added up in f32 by one rank, in the ranks' order, and what that gives is rounded.
/// (Gloo and NCCL themselves add bf16 up in bf16, rounding at each rank.) All ranks get the same
/// bits.
void sum_bucket(const Group& group, std::span<const Tensor> tensors, torch::Dtype dtype,
                std::string_view what);

/// Numbers become their sums over all ranks.
void sum_numbers(const Group& group, std::span<double> numbers, std::string_view what);

/// All ranks' numbers, those of rank 0 first; each may have as many as it likes.
std::vector<double> gather_numbers(const Group& group, const std::vector<double>& numbers,
                                   std::string_view what);

/// The greatest of all ranks' numbers.
int greatest(const Group& group, int number, std::string_view what,
             Patience patience = Patience::kStep);

/// What rank 0 says.
std::string text_of_first(const Group& group, const std::string& text, std::string_view what,
                          Patience patience = Patience::kStep);

}  // namespace hone::distributed
