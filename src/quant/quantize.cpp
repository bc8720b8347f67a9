#include "quant/quantize.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "base/error.h"
#include "kernels/launch.h"
#include "kernels/quantize/arithmetic.h"
#include "quant/integer_groups.h"
#include "quant/maps.h"

namespace hone::quant {
namespace {

using kernels::data;
using kernels::mutable_data;
using kernels::PackedCodes;
using kernels::PackedMatrix;
using torch::Tensor;

std::int64_t blocks_of(std::int64_t count, std::int64_t blocksize) {
  return (count + blocksize - 1) / blocksize;
}

/// Codes and scales of blocks of the dynamic 8-bit format.
struct EightBit {
  Tensor codes, absmax;
};
EightBit eight_bit(const Tensor& x, std::int64_t blocksize) {
  const std::int64_t n = x.numel();
  const EightBit made = {torch::empty({n}, torch::kUInt8),
                         torch::empty({blocks_of(n, blocksize)}, torch::kFloat32)};
  kernels::with_storage_type("quantize", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    kernels::launch_cpu(
        kernels::QuantizeEightBit<T>{.x = data<T>(x),
                                     .n = n,
                                     .blocksize = blocksize,
                                     .bins = dynamic_bins().data(),
                                     .codes = mutable_data<std::uint8_t>(made.codes),
                                     .absmax = mutable_data<float>(made.absmax)});
  });
  return made;
}

/// The mean by one thread: shared among several it would be summed in another order, and a model
/// packed with more threads would be another model.
Tensor mean_in_order(const Tensor& values) {
  const int threads = at::get_num_threads();
  if (threads > 1) at::set_num_threads(1);
  const Tensor mean = values.mean().reshape({1});
  if (threads > 1) at::set_num_threads(threads);
  return mean;
}

void pack_scales(PackedMatrix& matrix) {
  matrix.offset = mean_in_order(matrix.absmax);
  const EightBit scales = eight_bit(matrix.absmax - matrix.offset, 256);
  matrix.absmax = scales.codes;
  matrix.nested_absmax = scales.absmax;
  matrix.nested_map = dynamic_map();
}

void pack_four_bit(const Tensor& x, const Recipe& recipe, PackedMatrix& matrix) {
  const std::int64_t n = x.numel();
  matrix.codes = torch::empty({(n + 1) / 2}, torch::kUInt8);
  matrix.absmax = torch::empty({blocks_of(n, recipe.blocksize)}, torch::kFloat32);
  matrix.map = four_bit_map(recipe.format);
  const Levels& levels = four_bit_levels(recipe.format);
  kernels::with_storage_type("quantize", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    kernels::launch_cpu(
        kernels::QuantizeFourBit<T>{.x = data<T>(x),
                                    .n = n,
                                    .blocksize = recipe.blocksize,
                                    .bounds = levels.bounds.data(),
                                    .order = levels.order.data(),
                                    .codes = mutable_data<std::uint8_t>(matrix.codes),
                                    .absmax = mutable_data<float>(matrix.absmax)});
  });
  if (recipe.double_quantization && n > 0) pack_scales(matrix);
}

void pack_rows(const Tensor& x, PackedMatrix& matrix) {
  matrix.blocksize = x.size(1);  // a row is a block
  matrix.codes = torch::empty({x.numel()}, torch::kUInt8);
  matrix.absmax = torch::empty({x.size(0)}, torch::kFloat32);
  kernels::with_storage_type("quantize", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    kernels::launch_cpu(kernels::QuantizeRows<T>{.x = data<T>(x),
                                                 .rows = x.size(0),
                                                 .columns = x.size(1),
                                                 .codes = mutable_data<std::int8_t>(matrix.codes),
                                                 .absmax = mutable_data<float>(matrix.absmax)});
  });
}

void check(const Tensor& weight, const Recipe& recipe) {
  HONE_CHECK(ShapeError, weight.dim() == 2 && (weight.is_cpu() || is_integer_group(recipe.format)),
             "quantize: takes a matrix on the CPU, got {} axes on {}", weight.dim(),
             weight.device().str());
  const std::int64_t size = recipe.blocksize;
  HONE_CHECK(ConfigError, size >= 32 && size <= 4096 && (size & (size - 1)) == 0,
             "a quantisation block of {}: expected a power of two from 32 to 4096", size);
  HONE_CHECK(DataError, at::isfinite(weight).all().item<bool>(),
             "a matrix to be quantised holds a value that is not finite");
}

}  // namespace

PackedMatrix quantize(const Tensor& weight, const Recipe& recipe) {
  check(weight, recipe);
  const torch::NoGradGuard no_grad;
  const bool half = weight.scalar_type() == torch::kFloat16;
  const Tensor x = (half ? weight.to(torch::kFloat32) : weight).contiguous();
  PackedMatrix matrix;
  matrix.rows = x.size(0);
  matrix.columns = x.size(1);
  matrix.blocksize = recipe.blocksize;
  switch (recipe.format) {
    case Format::kNf4:
    case Format::kFp4:
      matrix.kind = PackedCodes::kFourBit;
      pack_four_bit(x, recipe, matrix);
      return matrix;
    case Format::kInt8:
      matrix.kind = PackedCodes::kInt8;
      pack_rows(x, matrix);
      return matrix;
    case Format::kInt8Blockwise: {
      matrix.kind = PackedCodes::kEightBit;
      const EightBit made = eight_bit(x, recipe.blocksize);
      matrix.codes = made.codes;
      matrix.absmax = made.absmax;
      matrix.map = dynamic_map();
      return matrix;
    }
    case Format::kInt4:
    case Format::kInt8Group:
      return pack_groups(x, recipe);
    case Format::kNone:
      break;
  }
  throw InternalError("quantize: a recipe without a format");
}

}  // namespace hone::quant
