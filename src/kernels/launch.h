#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <type_traits>

#include "base/error.h"
#include "kernels/cuda_library.h"
#include "kernels/number.h"

namespace hone::kernels {

/// Calls `body(std::type_identity<T>{})` with the storage type T of a tensor's elements.
/// @throws ShapeError for dtypes that the kernels do not know
template <class Body>
void with_storage_type(const char* op, at::ScalarType dtype, Body&& body) {
  switch (dtype) {
    case at::kFloat:
      return body(std::type_identity<float>{});
    case at::kBFloat16:
      return body(std::type_identity<Bf16>{});
    case at::kHalf:
      return body(std::type_identity<Fp16>{});
    case at::kDouble:
      return body(std::type_identity<double>{});
    default:
      throw ShapeError(
          fmt::format("{}: takes float32, bfloat16, float16 or float64 tensors, got {}", op,
                      c10::toString(dtype)));
  }
}

/// The dtype that sums and softmaxes of `dtype` are kept in.
inline at::ScalarType wide_dtype(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

/// A tensor's memory as storage type T, or null for an undefined one.
template <class T>
const T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<const T*>(tensor.const_data_ptr()) : nullptr;
}
template <class T>
T* mutable_data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.mutable_data_ptr()) : nullptr;
}

/// x itself where the elements of its last axis are adjacent, else a contiguous copy.
inline at::Tensor with_adjacent_elements(const at::Tensor& x) {
  return x.size(-1) <= 1 || x.stride(-1) == 1 ? x : x.contiguous();
}

/// @throws ShapeError unless `tensor` has these sizes; −1 stands for any
void check_sizes(const char* op, const char* name, const at::Tensor& tensor, at::IntArrayRef sizes);

/// @throws ShapeError unless `tensor` has the dtype and device of `like`
void check_like(const char* op, const char* name, const at::Tensor& tensor, const at::Tensor& like);

/// @throws ShapeError unless `tensor` is on a CPU or a CUDA device
void check_device(const char* op, const at::Tensor& tensor);

/// The backward passes are not differentiable themselves.
/// @throws Error where autograd wants them to be (create_graph)
void check_first_order(const char* op);

/// Runs an operation's kernel where its tensors are: over CPU threads, or on the current stream of
/// their GPU.
template <class Args>
void launch(const at::Tensor& like, const Args& args) {
  if (like.is_cpu()) {
    launch_cpu(args);
  } else {
    const c10::OptionalDeviceGuard guard(like.device());
    std::get<CudaLauncher<Args>>(cuda_table())(args);
  }
}

}  // namespace hone::kernels
