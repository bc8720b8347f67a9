#include "kernels/swiglu/swiglu.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/launch.h"
#include "kernels/swiglu/arithmetic.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& gate, const at::Tensor& up) {
    const at::Tensor y = at::empty(gate.sizes(), gate.options());
    with_storage_type("swiglu", gate.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(gate, SwigluForward<T>{.gate = data<T>(gate),
                                    .up = data<T>(up),
                                    .gate_stride = gate.stride(0),
                                    .up_stride = up.stride(0),
                                    .y = mutable_data<T>(y),
                                    .N = gate.size(0),
                                    .I = gate.size(1)});
    });
    ctx->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("swiglu");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    const at::Tensor dy = grads[0].contiguous();
    const at::Tensor dgate = at::empty(gate.sizes(), gate.options());
    const at::Tensor dup = at::empty(up.sizes(), up.options());
    with_storage_type("swiglu", gate.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(gate, SwigluBackward<T>{.dy = data<T>(dy),
                                     .gate = data<T>(gate),
                                     .up = data<T>(up),
                                     .gate_stride = gate.stride(0),
                                     .up_stride = up.stride(0),
                                     .dgate = mutable_data<T>(dgate),
                                     .dup = mutable_data<T>(dup),
                                     .N = gate.size(0),
                                     .I = gate.size(1)});
    });
    return {dgate, dup};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_NI, const at::Tensor& up_NI) {
  check_sizes("swiglu", "gate", gate_NI, {-1, -1});
  check_device("swiglu", gate_NI);
  check_sizes("swiglu", "up", up_NI, gate_NI.sizes());
  check_like("swiglu", "up", up_NI, gate_NI);
  return Swiglu::apply(with_adjacent_elements(gate_NI), with_adjacent_elements(up_NI));
}

}  // namespace hone::kernels
