#pragma once

#include "model/decoder.h"

namespace hone::model {

/// A mixture of experts: each token goes through the experts that the router gives most weight,
/// and gets the weighted sum of what they make of it. Tokens are put in the order of their experts,
/// so that each expert multiplies once.
/// @param m_NH [N, H]
/// @return [N, H]; the router's logits are appended to `trace` where there is one
/// @source arXiv:2401.04088, section 2.1, as transformers' MixtralSparseMoeBlock
Tensor mixture_of_experts(const Decoder& decoder, const Layer& layer, const Tensor& m_NH,
                          ForwardTrace* trace);

/// How unevenly the router spreads tokens: E · Σ_e f_e · p_e over all layers together, with f_e the
/// share of choices that fell on expert e (times the choices of a token) and p_e its mean
/// probability. num_experts_per_tok where all is even.
/// @param router_logits [N, E] of each layer
/// @return a scalar, f32; gradient flows to the logits
/// @source Switch Transformers, arXiv:2101.03961, eq. 4 to 6, as transformers'
///         load_balancing_loss_func
Tensor router_balance_loss(const std::vector<Tensor>& router_logits, const MoeSpec& moe);

}  // namespace hone::model
