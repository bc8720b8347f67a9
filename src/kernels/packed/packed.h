#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/packed/codes.h"

namespace hone::kernels {

/// A matrix in 4 or 8 bits a number, as bitsandbytes lays it out, or as integers that go by group
/// (then the map is these integers). Elements are counted along the
/// rows and on from row to row; each block of `blocksize` of them shares a scale, so that a block
/// may end in another row than it began. All tensors are contiguous and on one device.
struct PackedMatrix {
  PackedCodes kind = PackedCodes::kFourBit;
  std::int64_t rows = 0, columns = 0;
  std::int64_t blocksize = 0;
  at::Tensor codes;   ///< u8, [⌈rows · columns / 2⌉] or [rows · columns]
  at::Tensor map;     ///< f32 [16] or [256], undefined for kInt8
  at::Tensor absmax;  ///< one a block: f32, or u8 where the scales are packed again:
  at::Tensor nested_map, nested_absmax;  ///< f32 [256] and one for each 256 blocks
  at::Tensor offset;                     ///< f32 [1], added to every scale
  /// f32, one a block: what is taken from a code's number before it is scaled; undefined: nothing
  at::Tensor zeros;
};

/// Bytes that the matrix keeps; the maps, which all matrices share, are not counted.
std::int64_t size_bytes(const PackedMatrix& matrix);

/// The matrix on another device.
PackedMatrix to_device(const PackedMatrix& matrix, at::Device device);

/// All of it as numbers: each is the fp32 product of code and scale, rounded once to `dtype`.
/// @param dtype f32, bf16, fp16 or f64
/// @return [rows, columns]
/// @source arXiv:2305.14314, section 3; bitsandbytes' dequantize_4bit, dequantize_blockwise and
///         int8_vectorwise_dequant
at::Tensor dequantize(const PackedMatrix& matrix, at::ScalarType dtype);

/// x Wᵀ (+ b), not differentiable. W is dequantised a band of rows at a time, so that its numbers
/// are multiplied while they are in the cache and never exist all at once in a large matrix.
/// @param x_NI   [N, columns], f32, bf16, fp16 or f64
/// @param bias_O [rows] in x's dtype, or undefined
/// @return [N, rows] in x's dtype
at::Tensor packed_product(const at::Tensor& x_NI, const PackedMatrix& weight_OI,
                          const at::Tensor& bias_O);

/// g W, not differentiable: the gradient of packed_product's x; a band of columns at a time.
/// @param g_NO [N, rows]
/// @return [N, columns]
at::Tensor packed_gradient(const at::Tensor& g_NO, const PackedMatrix& weight_OI);

}  // namespace hone::kernels
