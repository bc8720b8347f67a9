#include "model/head.h"

#include <ATen/ops/linear.h>

#include "kernels/linear_logprob/linear_logprob.h"

namespace hone::model {
namespace {

/// Rows whose logits exist at a time, where the head's own cap stands between product and mean.
constexpr std::int64_t kChunk = 256;

kernels::LinearLogprobOptions shape_of_logits(const Spec& spec) {
  kernels::LinearLogprobOptions options;
  options.logit_scale = 1 / spec.logits_scaling;
  options.softcap = spec.final_logit_softcapping;
  return options;
}

/// What the spec makes of products with the head.
Tensor finish_logits(const Spec& spec, const Tensor& products) {
  const Tensor scaled = spec.logits_scaling == 1 ? products : products / spec.logits_scaling;
  if (spec.final_logit_softcapping == 0) return scaled;
  return (scaled / spec.final_logit_softcapping).tanh() * spec.final_logit_softcapping;
}

Tensor mean_logits(const Spec& spec, const Tensor& rows_MH, const Tensor& weight_VH) {
  if (spec.final_logit_softcapping == 0)
    return finish_logits(spec,
                         rows_MH.to(torch::kFloat32).mv(weight_VH.to(torch::kFloat32).mean(0)));
  const Piece piece = [&spec, weight_VH](const Tensor& rows) {
    return finish_logits(spec, at::linear(rows, weight_VH).to(torch::kFloat32)).mean(1);
  };
  std::vector<Tensor> means;
  for (const Tensor& rows : rows_MH.split(kChunk))
    means.push_back(recomputed(piece, rows, [] { return PutBack([] {}); }));
  return torch::cat(means);
}

}  // namespace

Tensor token_logps(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M,
                   const Tensor& targets_M) {
  return kernels::linear_logprob(hidden_NH.index_select(0, rows_M), decoder.head_weight(),
                                 std::nullopt, targets_M, shape_of_logits(decoder.spec));
}

TokenLogps token_logps_and_entropy(const Decoder& decoder, const Tensor& hidden_NH,
                                   const Tensor& rows_M, const Tensor& targets_M) {
  const auto both =
      kernels::linear_logprob_and_entropy(hidden_NH.index_select(0, rows_M), decoder.head_weight(),
                                          std::nullopt, targets_M, shape_of_logits(decoder.spec));
  return {both.logprobs_M, both.entropies_M};
}

TokenDistribution token_distribution(const Decoder& decoder, const Tensor& hidden_NH,
                                     const Tensor& rows_M, const Tensor& targets_M) {
  const Tensor rows = hidden_NH.index_select(0, rows_M), weight = decoder.head_weight();
  const Tensor of_targets =
      rows.to(torch::kFloat32) * weight.index_select(0, targets_M).to(torch::kFloat32);
  const Tensor logps = token_logps(decoder, hidden_NH, rows_M, targets_M);
  return {.logps_M = logps,
          .logsumexp_M = finish_logits(decoder.spec, of_targets.sum(1)) - logps,
          .mean_logit_M = mean_logits(decoder.spec, rows, weight)};
}

Tensor scores(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M) {
  // In fp32 whatever the rest is computed in: a few rows, whose differences are what counts.
  const Tensor rows = hidden_NH.index_select(0, rows_M).to(torch::kFloat32);
  const Tensor& bias = decoder.score_bias;
  return at::linear(rows, decoder.score.to(torch::kFloat32),
                    bias.defined() ? bias.to(torch::kFloat32) : bias);
}

Tensor logits(const Decoder& decoder, const Tensor& hidden_MH) {
  return finish_logits(decoder.spec, decoder.head()(hidden_MH).to(torch::kFloat32));
}

}  // namespace hone::model
