#include "kernels/kept_input.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <functional>

#include "compare.h"
#include "kernels/glu/glu.h"
#include "kernels/rms_norm/rms_norm.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// x W, whose backward pass wants both.
struct Product : torch::autograd::Function<Product> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& w) {
    context->save_for_backward({keep_input(*context, x), w});
    return x.mm(w);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor x = kept_input(*context, saved[0]);
    return {grads[0].mm(saved[1].t()), x.t().mm(grads[0])};
  }
};

at::Tensor leaf(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType dtype) {
  return test::normal(sizes, seed, dtype).to(dtype).requires_grad_(true);
}

struct Operation {
  const char* name;
  variable_list inputs;
  std::function<at::Tensor(const variable_list&)> result;
};

std::vector<Operation> operations(at::ScalarType dtype) {
  return {
      {"glu",
       {leaf({20, 24}, 1, dtype), leaf({20, 24}, 2, dtype)},
       [](const variable_list& in) { return glu(in[0], in[1], Activation::kGeluTanh); }},
      {"rms_norm", {leaf({20, 24}, 3, dtype), leaf({24}, 4, dtype)}, [](const variable_list& in) {
         return rms_norm(in[0], in[1], 1e-3, {.weight_offset = 1, .round_first = false});
       }}};
}

TEST(KeptInput, GoesWithTheForwardPassAndComesBackBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (Operation& operation : operations(dtype)) {
      SCOPED_TRACE(operation.name);
      const at::Tensor w1 = leaf({24, 8}, 5, dtype), w2 = leaf({24, 8}, 6, dtype);
      variable_list wanted = operation.inputs;
      wanted.insert(wanted.end(), {w1, w2});
      const auto gradients_of = [&](bool is_copied, bool& is_kept) {
        at::Tensor x = operation.result(operation.inputs);
        if (is_copied) x = x.clone();
        const at::Tensor loss =
            (Product::apply(x, w1) * Product::apply(x, w2)).to(at::kFloat).square().sum();
        const c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> result(
            x.getIntrusivePtr());
        x.reset();
        is_kept = !result.expired();
        return torch::autograd::grad({loss}, wanted);
      };
      bool is_kept = true, copy_is_kept = false;
      const variable_list again = gradients_of(/*is_copied=*/false, is_kept);
      const variable_list kept = gradients_of(/*is_copied=*/true, copy_is_kept);
      EXPECT_FALSE(is_kept);
      EXPECT_TRUE(copy_is_kept);
      ASSERT_EQ(again.size(), kept.size());
      for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(at::equal(again[i], kept[i])) << i;
    }
}

TEST(KeptInput, IsThereForASecondBackwardPassOverAGraphThatIsKept) {
  for (Operation& operation : operations(at::kFloat)) {
    SCOPED_TRACE(operation.name);
    const at::Tensor w = leaf({24, 8}, 5, at::kFloat);
    const at::Tensor loss = Product::apply(operation.result(operation.inputs), w).square().sum();
    const auto once = [&](bool keeps_graph) {
      return torch::autograd::grad({loss}, {operation.inputs[0], w}, {}, keeps_graph);
    };
    const variable_list first = once(true), second = once(false);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i]));
  }
}

}  // namespace
}  // namespace hone::kernels
