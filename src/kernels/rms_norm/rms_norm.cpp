#include "kernels/rms_norm/rms_norm.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/again.h"
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

/// @param rstd [N], written
at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight, double eps,
                      const RmsNormStyle& style, const at::Tensor& rstd) {
  const at::Tensor y = at::empty(x.sizes(), x.options());
  with_storage_type("rms_norm", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(x, RmsNormForward<T>{.x = data<T>(x),
                                .x_stride = x.stride(0),
                                .weight = data<T>(weight),
                                .y = mutable_data<T>(y),
                                .rstd = mutable_data<Wide<T>>(rstd),
                                .N = x.size(0),
                                .H = x.size(1),
                                .eps = static_cast<Wide<T>>(eps),
                                .style = arithmetic_of<T>(style)});
  });
  return y;
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  /// In the context: the result, made again for the nodes that it went to.
  static constexpr const char* kResult = "result";

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            double eps, const RmsNormStyle& style) {
    const at::Tensor rstd = at::empty({x.size(0)}, x.options().dtype(wide_dtype(x.scalar_type())));
    const at::Tensor y = normalised(x, weight, eps, style, rstd);
    ctx->save_for_backward({x, weight, rstd});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["weight_offset"] = style.weight_offset;
    ctx->saved_data["round_first"] = style.round_first;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("rms_norm");
    ctx->saved_data.erase(kResult);
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
    const std::int64_t N = x.size(0), H = x.size(1);
    const std::int64_t blocks = (N + kRmsNormBlock - 1) / kRmsNormBlock;
    const RmsNormStyle style = style_of(*ctx);
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

  static RmsNormStyle style_of(AutogradContext& ctx) {
    return {ctx.saved_data["weight_offset"].toDouble(), ctx.saved_data["round_first"].toBool()};
  }

  static at::Tensor again(AutogradContext& ctx) {
    const auto kept = ctx.saved_data.find(kResult);
    if (kept != ctx.saved_data.end()) return kept->second.toTensor();
    const variable_list saved = ctx.get_saved_variables();
    const at::Tensor y = normalised(saved[0], saved[1], ctx.saved_data["eps"].toDouble(),
                                    style_of(ctx), at::empty_like(saved[2]));
    ctx.saved_data[kResult] = y;
    return y;
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

Again rms_norm_again(const std::shared_ptr<torch::autograd::Node>& node) {
  const auto norm_node = std::dynamic_pointer_cast<torch::autograd::CppNode<RmsNorm>>(node);
  if (norm_node == nullptr) return {};
  return [node_of_graph = std::weak_ptr(norm_node)] {
    return RmsNorm::again(std::shared_ptr(node_of_graph)->ctx_);
  };
}

}  // namespace hone::kernels
