#include "kernels/linear_logprob/linear_logprob.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

#include "kernels/launch.h"
#include "kernels/linear_logprob/arithmetic.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The rows of one chunk, of all row-wise tensors.
struct Chunk {
  at::Tensor hidden, targets, logprobs, logsumexp;
  at::Tensor entropies = {};  // undefined where nobody asks
};

struct Head {
  at::Tensor weight_VH, bias_V;  // bias may be undefined
  std::int64_t chunk_rows;
  double logit_scale, softcap;

  template <class T>
  LogitShape<Wide<T>> shape() const {
    return {static_cast<Wide<T>>(logit_scale), static_cast<Wide<T>>(softcap)};
  }
};

at::Tensor chunk_logits(const Head& head, const at::Tensor& hidden) {
  const at::Tensor weight_HV = head.weight_VH.t();
  return head.bias_V.defined() ? at::addmm(head.bias_V, hidden, weight_HV)
                               : at::mm(hidden, weight_HV);
}

void logprobs_of(const Head& head, const at::Tensor& logits, const Chunk& chunk) {
  with_storage_type("linear_logprob", logits.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(logits, LogprobForward<T>{.logits = data<T>(logits),
                                     .targets = data<std::int64_t>(chunk.targets),
                                     .logprobs = mutable_data<Wide<T>>(chunk.logprobs),
                                     .logsumexp = mutable_data<Wide<T>>(chunk.logsumexp),
                                     .entropies = mutable_data<Wide<T>>(chunk.entropies),
                                     .M = logits.size(0),
                                     .V = logits.size(1),
                                     .shape = head.shape<T>()});
  });
}

/// Overwrites the logits with their gradient; an undefined `dlogprobs` stands for ones.
void to_gradient(const Head& head, const at::Tensor& logits, const Chunk& chunk,
                 const at::Tensor& dlogprobs) {
  with_storage_type("linear_logprob", logits.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(logits, LogprobBackward<T>{.logits = mutable_data<T>(logits),
                                      .targets = data<std::int64_t>(chunk.targets),
                                      .logsumexp = data<Wide<T>>(chunk.logsumexp),
                                      .dlogprobs = data<Wide<T>>(dlogprobs),
                                      .M = logits.size(0),
                                      .V = logits.size(1),
                                      .shape = head.shape<T>()});
  });
}

template <class Body>
void for_chunks(const Head& head, const Chunk& whole, Body&& body) {
  const std::int64_t M = whole.hidden.size(0);
  for (std::int64_t first = 0; first < M; first += head.chunk_rows) {
    const std::int64_t rows = std::min(head.chunk_rows, M - first);
    const auto part = [&](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.narrow(0, first, rows) : tensor;
    };
    body(first, Chunk{part(whole.hidden), part(whole.targets), part(whole.logprobs),
                      part(whole.logsumexp), part(whole.entropies)});
  }
}

/// sum += a · b, where sum may be of the wider dtype.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (sum.scalar_type() == a.scalar_type())
    sum.addmm_(a, b);
  else
    sum.add_(at::mm(a, b));
}

/// Where only `hidden` wants a gradient (LoRA), the forward pass takes it along while it has the
/// logits: d logprob[m] / d hidden[m] = (onehot − softmax)[m] · weight, which the backward pass
/// scales row by row. That saves the second multiplication by the largest matrix of the model.
struct WithHiddenGradient : torch::autograd::Function<WithHiddenGradient> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& hidden, const Chunk& whole,
                            const Head& head) {
    const at::Tensor dhidden = at::empty(hidden.sizes(), hidden.options());
    for_chunks(head, whole, [&](std::int64_t first, const Chunk& chunk) {
      const at::Tensor logits = chunk_logits(head, chunk.hidden);
      logprobs_of(head, logits, chunk);
      to_gradient(head, logits, chunk, {});
      at::Tensor rows = dhidden.narrow(0, first, logits.size(0));
      at::mm_out(rows, logits, head.weight_VH);
    });
    ctx->save_for_backward({dhidden});
    return whole.logprobs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("linear_logprob");
    const at::Tensor dhidden = ctx->get_saved_variables()[0];
    return {(dhidden * grads[0].unsqueeze(1)).to(dhidden.scalar_type()), {}, {}};
  }
};

/// The general case: the backward pass computes each chunk's logits again.
struct WithAllGradients : torch::autograd::Function<WithAllGradients> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight,
                            const std::optional<at::Tensor>& /* in head, too */, const Chunk& whole,
                            const Head& head) {
    for_chunks(head, whole, [&](std::int64_t, const Chunk& chunk) {
      logprobs_of(head, chunk_logits(head, chunk.hidden), chunk);
    });
    ctx->save_for_backward({hidden, weight, head.bias_V, whole.targets, whole.logsumexp});
    ctx->saved_data["chunk_rows"] = head.chunk_rows;
    ctx->saved_data["logit_scale"] = head.logit_scale;
    ctx->saved_data["softcap"] = head.softcap;
    return whole.logprobs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("linear_logprob");
    const variable_list saved = ctx->get_saved_variables();
    const Head head{saved[1], saved[2], ctx->saved_data["chunk_rows"].toInt(),
                    ctx->saved_data["logit_scale"].toDouble(),
                    ctx->saved_data["softcap"].toDouble()};
    const at::Tensor dlogprobs = grads[0].contiguous();
    const Chunk whole{saved[0], saved[3], dlogprobs, saved[4]};
    const auto wide = saved[4].options();
    at::Tensor dhidden, dweight, dbias;
    if (ctx->needs_input_grad(0)) dhidden = at::empty(saved[0].sizes(), saved[0].options());
    if (ctx->needs_input_grad(1)) dweight = at::zeros(head.weight_VH.sizes(), wide);
    if (head.bias_V.defined() && ctx->needs_input_grad(2))
      dbias = at::zeros(head.bias_V.sizes(), wide);
    for_chunks(head, whole, [&](std::int64_t first, const Chunk& chunk) {
      const at::Tensor logits = chunk_logits(head, chunk.hidden);
      to_gradient(head, logits, chunk, chunk.logprobs);
      if (dhidden.defined()) {
        at::Tensor rows = dhidden.narrow(0, first, logits.size(0));
        at::mm_out(rows, logits, head.weight_VH);
      }
      if (dweight.defined()) add_product(dweight, logits.t(), chunk.hidden);
      if (dbias.defined()) dbias.add_(logits.sum(0, false, wide.dtype().toScalarType()));
    });
    const at::ScalarType dtype = saved[0].scalar_type();
    return {dhidden,
            dweight.defined() ? dweight.to(dtype) : dweight,
            dbias.defined() ? dbias.to(dtype) : dbias,
            {},
            {}};
  }
};

void check_targets(const at::Tensor& targets_M, std::int64_t V) {
  const at::Tensor wrong = targets_M.lt(0).logical_or_(targets_M.ge(V));
  if (!wrong.any().item<bool>()) return;
  const std::int64_t row = wrong.nonzero()[0][0].item<std::int64_t>();
  throw DataError(
      fmt::format("linear_logprob: target {} of row {} is outside the vocabulary [0, {})",
                  targets_M[row].item<std::int64_t>(), row, V));
}

/// @param wants_entropies else they are undefined
LogprobsAndEntropies run(const at::Tensor& hidden_MH, const at::Tensor& weight_VH,
                         const std::optional<at::Tensor>& bias_V, const at::Tensor& targets_M,
                         const LinearLogprobOptions& options, bool wants_entropies) {
  check_sizes("linear_logprob", "hidden", hidden_MH, {-1, -1});
  check_device("linear_logprob", hidden_MH);
  const std::int64_t M = hidden_MH.size(0);
  check_sizes("linear_logprob", "weight", weight_VH, {-1, hidden_MH.size(1)});
  check_like("linear_logprob", "weight", weight_VH, hidden_MH);
  const std::int64_t V = weight_VH.size(0);
  const at::Tensor bias = bias_V.value_or(at::Tensor());
  if (bias.defined()) {
    check_sizes("linear_logprob", "bias", bias, {V});
    check_like("linear_logprob", "bias", bias, hidden_MH);
  }
  check_sizes("linear_logprob", "targets", targets_M, {M});
  HONE_CHECK(ShapeError,
             targets_M.scalar_type() == at::kLong && targets_M.device() == hidden_MH.device(),
             "linear_logprob: targets must be int64 on {}, got {} on {}", hidden_MH.device().str(),
             c10::toString(targets_M.scalar_type()), targets_M.device().str());
  check_targets(targets_M, V);

  const auto wide = hidden_MH.options().dtype(wide_dtype(hidden_MH.scalar_type()));
  const std::int64_t row_bytes = std::max<std::int64_t>(1, V * hidden_MH.element_size());
  const Head head{weight_VH, bias, std::max<std::int64_t>(1, options.chunk_bytes / row_bytes),
                  options.logit_scale, options.softcap};
  const Chunk whole{hidden_MH, targets_M.contiguous(), at::empty({M}, wide), at::empty({M}, wide),
                    wants_entropies ? at::empty({M}, wide) : at::Tensor()};
  const bool differentiable = at::GradMode::is_enabled();
  const bool only_hidden = differentiable && hidden_MH.requires_grad() &&
                           !weight_VH.requires_grad() && !(bias.defined() && bias.requires_grad());
  const at::Tensor logprobs =
      only_hidden ? WithHiddenGradient::apply(hidden_MH, whole, head)
                  : WithAllGradients::apply(hidden_MH, weight_VH, bias_V, whole, head);
  return {logprobs, whole.entropies};
}

}  // namespace

at::Tensor linear_logprob(const at::Tensor& hidden_MH, const at::Tensor& weight_VH,
                          const std::optional<at::Tensor>& bias_V, const at::Tensor& targets_M,
                          const LinearLogprobOptions& options) {
  return run(hidden_MH, weight_VH, bias_V, targets_M, options, /*wants_entropies=*/false)
      .logprobs_M;
}

LogprobsAndEntropies linear_logprob_and_entropy(const at::Tensor& hidden_MH,
                                                const at::Tensor& weight_VH,
                                                const std::optional<at::Tensor>& bias_V,
                                                const at::Tensor& targets_M,
                                                const LinearLogprobOptions& options) {
  return run(hidden_MH, weight_VH, bias_V, targets_M, options, /*wants_entropies=*/true);
}

}  // namespace hone::kernels
