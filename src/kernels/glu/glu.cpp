#include "kernels/glu/glu.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/again.h"
#include "kernels/glu/arithmetic.h"
#include "kernels/launch.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up, Activation activation) {
  const at::Tensor y = at::empty(gate.sizes(), gate.options());
  with_storage_type("glu", gate.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(gate, GluForward<T>{.gate = data<T>(gate),
                               .up = data<T>(up),
                               .gate_stride = gate.stride(0),
                               .up_stride = up.stride(0),
                               .y = mutable_data<T>(y),
                               .N = gate.size(0),
                               .I = gate.size(1),
                               .activation = activation});
  });
  return y;
}

struct Glu : torch::autograd::Function<Glu> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& gate, const at::Tensor& up,
                            Activation activation) {
    ctx->save_for_backward({gate, up});
    ctx->saved_data["activation"] = static_cast<std::int64_t>(activation);
    return gated(gate, up, activation);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("glu");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    const Activation activation = activation_of(*ctx);
    const at::Tensor dy = grads[0].contiguous();
    const at::Tensor dgate = at::empty(gate.sizes(), gate.options());
    const at::Tensor dup = at::empty(up.sizes(), up.options());
    with_storage_type("glu", gate.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(gate, GluBackward<T>{.dy = data<T>(dy),
                                  .gate = data<T>(gate),
                                  .up = data<T>(up),
                                  .gate_stride = gate.stride(0),
                                  .up_stride = up.stride(0),
                                  .dgate = mutable_data<T>(dgate),
                                  .dup = mutable_data<T>(dup),
                                  .N = gate.size(0),
                                  .I = gate.size(1),
                                  .activation = activation});
    });
    return {dgate, dup, {}};
  }

  static Activation activation_of(AutogradContext& ctx) {
    return static_cast<Activation>(ctx.saved_data["activation"].toInt());
  }
};

}  // namespace

at::Tensor glu(const at::Tensor& gate_NI, const at::Tensor& up_NI, Activation activation) {
  check_sizes("glu", "gate", gate_NI, {-1, -1});
  check_device("glu", gate_NI);
  check_sizes("glu", "up", up_NI, gate_NI.sizes());
  check_like("glu", "up", up_NI, gate_NI);
  return Glu::apply(with_adjacent_elements(gate_NI), with_adjacent_elements(up_NI), activation);
}

Again glu_again(const std::shared_ptr<torch::autograd::Node>& node) {
  const auto glu_node = std::dynamic_pointer_cast<torch::autograd::CppNode<Glu>>(node);
  if (glu_node == nullptr) return {};
  return [node_of_graph = std::weak_ptr(glu_node)] {
    AutogradContext& ctx = std::shared_ptr(node_of_graph)->ctx_;
    const variable_list saved = ctx.get_saved_variables();
    return gated(saved[0], saved[1], Glu::activation_of(ctx));
  };
}

}  // namespace hone::kernels
