#include "model/head.h"

#include <ATen/ops/linear.h>

#include "kernels/linear_logprob/linear_logprob.h"

namespace hone::model {

Tensor token_logps(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M,
                   const Tensor& targets_M) {
  kernels::LinearLogprobOptions options;
  options.logit_scale = 1 / decoder.spec.logits_scaling;
  options.softcap = decoder.spec.final_logit_softcapping;
  return kernels::linear_logprob(hidden_NH.index_select(0, rows_M), decoder.head_weight(),
                                 std::nullopt, targets_M, options);
}

Tensor scores(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M) {
  // In fp32 whatever the rest is computed in: a few rows, whose differences are what counts.
  const Tensor rows = hidden_NH.index_select(0, rows_M).to(torch::kFloat32);
  const Tensor& bias = decoder.score_bias;
  return at::linear(rows, decoder.score.to(torch::kFloat32),
                    bias.defined() ? bias.to(torch::kFloat32) : bias);
}

Tensor logits(const Decoder& decoder, const Tensor& hidden_MH) {
  const Tensor products = decoder.head()(hidden_MH).to(torch::kFloat32);
  const Spec& spec = decoder.spec;
  const Tensor scaled = spec.logits_scaling == 1 ? products : products / spec.logits_scaling;
  if (spec.final_logit_softcapping == 0) return scaled;
  return (scaled / spec.final_logit_softcapping).tanh() * spec.final_logit_softcapping;
}

}  // namespace hone::model
