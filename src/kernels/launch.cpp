#include "kernels/launch.h"

#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

namespace hone::kernels {

void check_sizes(const char* op, const char* name, const at::Tensor& tensor,
                 at::IntArrayRef sizes) {
  bool fits = tensor.defined() && tensor.dim() == static_cast<std::int64_t>(sizes.size());
  for (std::size_t axis = 0; fits && axis < sizes.size(); ++axis)
    fits = sizes[axis] == -1 || tensor.size(static_cast<std::int64_t>(axis)) == sizes[axis];
  if (fits) return;
  const std::string got =
      tensor.defined() ? fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")) : "no tensor";
  throw ShapeError(fmt::format("{}: {} must have sizes [{}] (-1: any), got {}", op, name,
                               fmt::join(sizes, ", "), got));
}

void check_like(const char* op, const char* name, const at::Tensor& tensor,
                const at::Tensor& like) {
  HONE_CHECK(ShapeError,
             tensor.scalar_type() == like.scalar_type() && tensor.device() == like.device(),
             "{}: {} must be {} on {} as the other tensors are, got {} on {}", op, name,
             c10::toString(like.scalar_type()), like.device().str(),
             c10::toString(tensor.scalar_type()), tensor.device().str());
}

void check_device(const char* op, const at::Tensor& tensor) {
  HONE_CHECK(ShapeError, tensor.is_cpu() || tensor.is_cuda(),
             "{}: takes tensors on CPU or CUDA, got {}", op, tensor.device().str());
}

void check_first_order(const char* op) {
  HONE_CHECK(Error, !at::GradMode::is_enabled(),
             "{}: second derivatives are not implemented; call backward without create_graph", op);
}

}  // namespace hone::kernels
