#include "model/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <unordered_set>

#include "model/offload.h"

namespace hone::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Node;
using torch::autograd::variable_list;

/// The leaves that a graph leads to, `entry` left out, in the order in which they are met.
variable_list leaves_of(const Tensor& result, const Tensor& entry) {
  variable_list leaves;
  std::vector<Node*> left{result.grad_fn().get()};
  std::unordered_set<Node*> seen{nullptr};
  while (!left.empty()) {
    Node* node = left.back();
    left.pop_back();
    if (!seen.insert(node).second) continue;
    if (const auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      if (!leaf->variable.is_same(entry)) leaves.push_back(leaf->variable);
    }
    for (const torch::autograd::Edge& edge : node->next_edges())
      left.push_back(edge.function.get());
  }
  return leaves;
}

/// What a node of the graph needs to compute its piece again.
struct Kept final : torch::CustomClassHolder {
  Kept(Piece its_piece, const std::function<PutBack()>& noting, PutBack its_state,
       Tensor its_result, variable_list its_leaves)
      : piece(std::move(its_piece)),
        note_state(noting),
        state(std::move(its_state)),
        result(std::move(its_result)),
        leaves(std::move(its_leaves)) {}
  Piece piece;
  std::function<PutBack()> note_state;
  PutBack state;  ///< as it was in the forward pass
  Tensor result;  ///< of the forward pass, until the node has passed it on
  variable_list leaves;
  HostCopy input;  ///< under an OffloadGuard; else the node saves the input itself
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  /// @param leaves make the result differentiable in what the piece holds, not only in x
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        [[maybe_unused]] at::TensorList leaves, const c10::IValue& kept) {
    auto& node = static_cast<Kept&>(*kept.toCapsule());
    if (offloads())
      node.input = HostCopy(x);
    else
      context->save_for_backward({x});
    context->saved_data["kept"] = kept;
    return std::move(node.result);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto& kept = static_cast<const Kept&>(*context->saved_data["kept"].toCapsule());
    const bool passes_on = context->needs_input_grad(0);
    const Tensor input =
        kept.input.exists() ? kept.input.fetched() : context->get_saved_variables()[0];
    const Tensor entry = input.detach().requires_grad_(passes_on);
    Tensor result;
    {
      const torch::AutoGradMode with_graph(true);
      const PutBack now = kept.note_state();
      kept.state();
      result = kept.piece(entry);
      now();
    }
    variable_list inputs = kept.leaves;
    if (passes_on) inputs.insert(inputs.begin(), entry);
    variable_list found = torch::autograd::grad({result}, inputs, {grads[0]}, std::nullopt,
                                                /*create_graph=*/false, /*allow_unused=*/true);
    if (!passes_on) found.insert(found.begin(), Tensor());
    found.emplace_back();  // of `kept`
    return found;
  }
};

}  // namespace

Tensor recomputed(const Piece& piece, const Tensor& x, const std::function<PutBack()>& note_state) {
  if (!torch::GradMode::is_enabled()) return piece(x);
  PutBack state = note_state();
  // The graph of this pass tells which leaves the piece holds; nothing keeps it beyond this line.
  const Tensor entry = x.detach().requires_grad_(x.requires_grad());
  const Tensor result = piece(entry);
  if (!result.requires_grad()) return result;
  const variable_list leaves = leaves_of(result, entry);
  const auto kept =
      c10::make_intrusive<Kept>(piece, note_state, std::move(state), result.detach(), leaves);
  return Recomputed::apply(x, at::TensorList(leaves), c10::IValue::make_capsule(kept));
}

}  // namespace hone::model
