#include "kernels/packed/packed.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "kernels/launch.h"
#include "kernels/packed/arithmetic.h"

namespace hone::kernels {
namespace {

/// Numbers that are dequantised for one product: on the CPU what stays in the cache between its
/// cores, on a GPU what keeps it busy.
std::int64_t band_bytes(const at::Device& device) {
  return device.is_cpu() ? std::int64_t{2} << 20 : std::int64_t{256} << 20;
}

PackedView view(const PackedMatrix& matrix) {
  const bool nested = matrix.nested_absmax.defined();
  return {.kind = matrix.kind,
          .codes = static_cast<const std::uint8_t*>(matrix.codes.const_data_ptr()),
          .map = data<float>(matrix.map),
          .scales = {.absmax = nested ? nullptr : data<float>(matrix.absmax),
                     .codes = nested ? data<std::uint8_t>(matrix.absmax) : nullptr,
                     .nested_map = data<float>(matrix.nested_map),
                     .nested_absmax = data<float>(matrix.nested_absmax),
                     .offset = data<float>(matrix.offset)},
          .zeros = data<float>(matrix.zeros),
          .blocksize = matrix.blocksize,
          .columns = matrix.columns};
}

/// A rectangle of the matrix, as a tensor.
struct Rectangle {
  std::int64_t first_row, first_column, rows, columns;
};

void dequantize_into(const PackedMatrix& matrix, const Rectangle& part, const at::Tensor& out) {
  with_storage_type("dequantize", out.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(out, Dequantize<T>{.from = view(matrix),
                              .first_row = part.first_row,
                              .first_column = part.first_column,
                              .rows = part.rows,
                              .columns = part.columns,
                              .out = mutable_data<T>(out),
                              .out_stride = out.stride(0)});
  });
}

/// How many of `count` rows or columns with `size_bytes` each make a band: whole blocks of them
/// where there are several bands, so that most of a band's blocks are dequantised in one go.
std::int64_t band_of(std::int64_t count, std::int64_t size_bytes, std::int64_t blocksize,
                     const at::Device& device) {
  const std::int64_t fitting = band_bytes(device) / std::max<std::int64_t>(size_bytes, 1);
  if (fitting >= count) return count;
  return std::min(count, std::max<std::int64_t>(1, fitting / blocksize) * blocksize);
}

void check_factor(const char* op, const at::Tensor& factor, std::int64_t width,
                  const PackedMatrix& weight) {
  check_sizes(op, "the factor", factor, {-1, width});
  HONE_CHECK(ShapeError, factor.device() == weight.codes.device(),
             "{}: the factor is on {}, the packed matrix on {}", op, factor.device().str(),
             weight.codes.device().str());
}

}  // namespace

std::int64_t size_bytes(const PackedMatrix& matrix) {
  std::size_t bytes = 0;
  for (const at::Tensor* tensor :
       {&matrix.codes, &matrix.absmax, &matrix.nested_absmax, &matrix.offset, &matrix.zeros})
    if (tensor->defined()) bytes += tensor->nbytes();
  return static_cast<std::int64_t>(bytes);
}

PackedMatrix to_device(const PackedMatrix& matrix, at::Device device) {
  PackedMatrix moved = matrix;
  for (at::Tensor* tensor : {&moved.codes, &moved.map, &moved.absmax, &moved.nested_map,
                             &moved.nested_absmax, &moved.offset, &moved.zeros})
    if (tensor->defined()) *tensor = tensor->to(device);
  return moved;
}

at::Tensor dequantize(const PackedMatrix& matrix, at::ScalarType dtype) {
  const at::Tensor numbers =
      at::empty({matrix.rows, matrix.columns}, matrix.codes.options().dtype(dtype));
  dequantize_into(matrix, {0, 0, matrix.rows, matrix.columns}, numbers);
  return numbers;
}

at::Tensor packed_product(const at::Tensor& x_NI, const PackedMatrix& weight_OI,
                          const at::Tensor& bias_O) {
  check_factor("packed_product", x_NI, weight_OI.columns, weight_OI);
  const std::int64_t N = x_NI.size(0), O = weight_OI.rows, I = weight_OI.columns;
  const std::int64_t band = band_of(O, I * x_NI.element_size(), 1, x_NI.device());
  const at::Tensor numbers = at::empty({band, I}, x_NI.options());
  const at::Tensor y = at::empty({N, O}, x_NI.options());
  for (std::int64_t first = 0; first < O; first += band) {
    const std::int64_t rows = std::min(band, O - first);
    const at::Tensor part = numbers.narrow(0, 0, rows);
    dequantize_into(weight_OI, {first, 0, rows, I}, part);
    at::Tensor of_y = y.narrow(1, first, rows);
    if (bias_O.defined())
      at::addmm_out(of_y, bias_O.narrow(0, first, rows), x_NI, part.t());
    else
      at::mm_out(of_y, x_NI, part.t());
  }
  return y;
}

at::Tensor packed_gradient(const at::Tensor& g_NO, const PackedMatrix& weight_OI) {
  check_factor("packed_gradient", g_NO, weight_OI.rows, weight_OI);
  const std::int64_t N = g_NO.size(0), O = weight_OI.rows, I = weight_OI.columns;
  const std::int64_t band = band_of(I, O * g_NO.element_size(), weight_OI.blocksize, g_NO.device());
  const at::Tensor dx = at::empty({N, I}, g_NO.options());
  for (std::int64_t first = 0; first < I; first += band) {
    const std::int64_t columns = std::min(band, I - first);
    const at::Tensor part = at::empty({O, columns}, g_NO.options());
    dequantize_into(weight_OI, {0, first, O, columns}, part);
    at::Tensor of_dx = dx.narrow(1, first, columns);
    at::mm_out(of_dx, g_NO, part);
  }
  return dx;
}

}  // namespace hone::kernels
