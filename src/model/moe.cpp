#include "model/moe.h"

#include <ATen/ops/linear.h>

#include "kernels/glu/glu.h"
#include "model/families.h"

namespace hone::model {
namespace {

/// The experts of every token, and what each of them weighs.
struct Routing {
  Tensor weights_NK;  // f32
  Tensor experts_NK;  // i64
};

Routing route(const MoeSpec& moe, const Tensor& logits_NE) {
  const Tensor probabilities = at::softmax(logits_NE, 1, torch::kFloat32);
  auto [weights, experts] = probabilities.topk(moe.num_experts_per_tok, 1);
  if (moe.norm_topk_prob) weights = weights / weights.sum(1, true);
  return {weights, experts};
}

}  // namespace

Tensor mixture_of_experts(const Decoder& decoder, const Layer& layer, const Tensor& m_NH,
                          ForwardTrace* trace) {
  const MoeSpec& moe = decoder.spec.moe;
  const Tensor logits_NE = at::linear(m_NH, layer.router.to(m_NH.scalar_type()));
  if (trace != nullptr) trace->router_logits.push_back(logits_NE);
  const Routing routing = route(moe, logits_NE);

  // Choice c is the (c mod K)-th of token c / K. In the order of their experts:
  const Tensor experts = routing.experts_NK.flatten();
  const Tensor choices = experts.argsort(/*stable=*/true);
  const Tensor tokens = choices.div(moe.num_experts_per_tok, "floor");
  const Tensor counts = experts.bincount({}, moe.num_experts).to(torch::kCPU);
  const Tensor sorted = m_NH.index_select(0, tokens);
  std::vector<Tensor> results;
  std::int64_t begin = 0;
  for (std::size_t e = 0; e < layer.experts.size(); ++e) {
    const std::int64_t count = counts[static_cast<std::int64_t>(e)].item<std::int64_t>();
    if (count == 0) continue;
    const Expert& expert = layer.experts[e];
    const Tensor x = sorted.narrow(0, begin, count);
    results.push_back(expert.down_proj(
        kernels::glu(expert.gate_proj(x), expert.up_proj(x), decoder.spec.family->activation)));
    begin += count;
  }
  const Tensor weights =
      routing.weights_NK.flatten().index_select(0, choices).to(m_NH.scalar_type());
  return torch::zeros_like(m_NH).index_add(0, tokens, torch::cat(results) * weights.unsqueeze(1));
}

Tensor router_balance_loss(const std::vector<Tensor>& router_logits, const MoeSpec& moe) {
  const Tensor logits = torch::cat(router_logits);
  const Tensor probabilities = at::softmax(logits, 1, torch::kFloat32);
  const Tensor chosen = std::get<1>(probabilities.topk(moe.num_experts_per_tok, 1));
  const Tensor share =
      chosen.flatten().bincount({}, moe.num_experts).to(torch::kFloat32) / double(logits.size(0));
  return (share * probabilities.mean(0)).sum() * double(moe.num_experts);
}

}  // namespace hone::model
