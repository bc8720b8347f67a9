#include "kernels/rms_norm/rms_norm.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/launch.h"
#include "kernels/rms_norm/arithmetic.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
NormWeighting<Wide<T>> arithmetic_of(const RmsNormStyle& style) {
  return {static_cast<Wide<T>>(style.weight_offset), style.round_first};
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            double eps, const RmsNormStyle& style) {
    const std::int64_t N = x.size(0), H = x.size(1);
    const at::Tensor y = at::empty({N, H}, x.options());
    const at::Tensor rstd = at::empty({N}, x.options().dtype(wide_dtype(x.scalar_type())));
    with_storage_type("rms_norm", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(x, RmsNormForward<T>{.x = data<T>(x),
                                  .x_stride = x.stride(0),
                                  .weight = data<T>(weight),
                                  .y = mutable_data<T>(y),
                                  .rstd = mutable_data<Wide<T>>(rstd),
                                  .N = N,
                                  .H = H,
                                  .eps = static_cast<Wide<T>>(eps),
                                  .style = arithmetic_of<T>(style)});
    });
    ctx->save_for_backward({x, weight, rstd});
    ctx->saved_data["weight_offset"] = style.weight_offset;
    ctx->saved_data["round_first"] = style.round_first;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("rms_norm");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
    const std::int64_t N = x.size(0), H = x.size(1);
    const std::int64_t blocks = (N + kRmsNormBlock - 1) / kRmsNormBlock;
    const RmsNormStyle style{ctx->saved_data["weight_offset"].toDouble(),
                             ctx->saved_data["round_first"].toBool()};
    const at::Tensor dy = grads[0].contiguous();
    at::Tensor dx, dweight_blocks;
    if (ctx->needs_input_grad(0)) dx = at::empty({N, H}, x.options());
    if (ctx->needs_input_grad(1)) dweight_blocks = at::empty({blocks, H}, rstd.options());
    with_storage_type("rms_norm", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(x, RmsNormBackward<T>{.dy = data<T>(dy),
                                   .x = data<T>(x),
                                   .x_stride = x.stride(0),
                                   .weight = data<T>(weight),
                                   .rstd = data<Wide<T>>(rstd),
                                   .dx = mutable_data<T>(dx),
                                   .dweight = mutable_data<Wide<T>>(dweight_blocks),
                                   .N = N,
                                   .H = H,
                                   .style = arithmetic_of<T>(style)});
    });
    at::Tensor dweight;
    if (dweight_blocks.defined()) dweight = dweight_blocks.sum(0).to(weight.scalar_type());
    return {dx, dweight, {}, {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x_NH, const at::Tensor& weight_H, double eps,
                    const RmsNormStyle& style) {
  check_sizes("rms_norm", "x", x_NH, {-1, -1});
  check_device("rms_norm", x_NH);
  check_sizes("rms_norm", "weight", weight_H, {x_NH.size(1)});
  check_like("rms_norm", "weight", weight_H, x_NH);
  return RmsNorm::apply(with_adjacent_elements(x_NH), weight_H.contiguous(), eps, style);
}

}  // namespace hone::kernels
