#include "kernels/rope/rope.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/launch.h"
#include "kernels/rope/arithmetic.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const at::Tensor y = at::empty(x.sizes(), x.options());
  with_storage_type("rope", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(x, Rope<T>{.x = data<T>(x),
                      .token_stride = x.stride(0),
                      .head_stride = x.stride(1),
                      .cos = data<Wide<T>>(cos),
                      .sin = data<Wide<T>>(sin),
                      .y = mutable_data<T>(y),
                      .N = x.size(0),
                      .heads = x.size(1),
                      .head_dim = x.size(2),
                      .half = cos.size(1),
                      .direction = static_cast<Wide<T>>(direction)});
  });
  return y;
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return turn(x, cos, sin, 1);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("rope");
    const variable_list saved = ctx->get_saved_variables();
    return {turn(with_adjacent_elements(grads[0]), saved[0], saved[1], -1), {}, {}};
  }
};

}  // namespace

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  check_sizes("rope", "x", x, {-1, -1, -1});
  check_device("rope", x);
  check_sizes("rope", "cos", cos, {x.size(0), -1});
  check_sizes("rope", "sin", sin, {x.size(0), cos.size(1)});
  HONE_CHECK(ShapeError, 2 * cos.size(1) <= x.size(2),
             "rope: cos has {} columns, more than half of head_dim {}", cos.size(1), x.size(2));
  for (const at::Tensor* table : {&cos, &sin})
    HONE_CHECK(ShapeError,
               table->scalar_type() == wide_dtype(x.scalar_type()) && table->device() == x.device(),
               "rope: cos and sin must be {} on {} for such an x, got {} on {}",
               c10::toString(wide_dtype(x.scalar_type())), x.device().str(),
               c10::toString(table->scalar_type()), table->device().str());
  return RopeFunction::apply(with_adjacent_elements(x), cos.contiguous(), sin.contiguous());
}

}  // namespace hone::kernels
