#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace hone::kernels {

struct LinearLogprobOptions {
  /// How much memory the logits of one chunk of rows may take, in the dtype of `hidden`.
  std::int64_t chunk_bytes = std::int64_t{64} << 20;
  double logit_scale = 1;  ///< logits are multiplied by this (Granite),
  double softcap = 0;      ///< then, above 0, become softcap · tanh(logit / softcap) (Gemma 2)
};

/// log softmax(hidden · weightᵀ + bias)[target] of each row, differentiable in hidden, weight and
/// bias; the logits [M, V] never exist whole: each chunk of rows has its own, and the backward pass
/// computes them again. The logarithm of the denominator is summed in fp32 (fp64 for fp64 input),
/// gradients of weight and bias are accumulated over the chunks in fp32.
/// Give it only the rows that carry loss.
/// @param hidden_MH  [M, H] f32, bf16, fp16 or f64; M may be 0
/// @param weight_VH  [V, H] hidden's dtype; its gradient is computed only where it requires one
/// @param bias_V     [V] hidden's dtype, or none
/// @param targets_M  [M] i64 in [0, V)
/// @return [M] f32 (f64 for f64 hidden), natural logarithms
/// @throws ShapeError when the sizes, dtypes or devices do not fit
/// @throws DataError naming the first row whose target is outside the vocabulary
at::Tensor linear_logprob(const at::Tensor& hidden_MH, const at::Tensor& weight_VH,
                          const std::optional<at::Tensor>& bias_V, const at::Tensor& targets_M,
                          const LinearLogprobOptions& options = {});

struct LogprobsAndEntropies {
  at::Tensor logprobs_M;   ///< as linear_logprob gives them
  at::Tensor entropies_M;  ///< −Σ p log p over the vocabulary, in nats; no gradient
};

/// The same, with the entropy of each row's distribution from the logits that are there anyway.
LogprobsAndEntropies linear_logprob_and_entropy(const at::Tensor& hidden_MH,
                                                const at::Tensor& weight_VH,
                                                const std::optional<at::Tensor>& bias_V,
                                                const at::Tensor& targets_M,
                                                const LinearLogprobOptions& options = {});

}  // namespace hone::kernels
