#include "loss/dpo.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace hone::loss {
namespace {

using torch::log_sigmoid;
using torch::sigmoid;
using torch::Tensor;

struct FDivergence {
  std::string name;
  Tensor (*score)(const Tensor& ratio, double alpha);  ///< f'(t) at t = e^ratio
};

Tensor reverse_kl(const Tensor& ratio, double) { return ratio; }

Tensor forward_kl(const Tensor& ratio, double) { return 1.0 - torch::exp(-ratio); }

Tensor js_divergence(const Tensor& ratio, double) { return log_sigmoid(ratio) + std::numbers::ln2; }

Tensor alpha_divergence(const Tensor& ratio, double alpha) {
  constexpr double kNearOne = 1e-6, kLargestExponent = 80.0;
  if (std::abs(alpha - 1.0) < kNearOne) return ratio;
  const Tensor exponent = (ratio * (alpha - 1.0)).clamp_max(kLargestExponent);
  return (torch::exp(exponent) - 1.0) / (alpha - 1.0);
}

const std::vector<FDivergence>& f_divergences() {
  static const std::vector<FDivergence> table = {{"reverse_kl", reverse_kl},
                                                 {"forward_kl", forward_kl},
                                                 {"js_divergence", js_divergence},
                                                 {"alpha_divergence", alpha_divergence}};
  return table;
}

/// −(1 − ε) log σ(x) − ε log σ(−x): some of the labels are the wrong way round.
Tensor smoothed(const Tensor& x, double epsilon) {
  return -log_sigmoid(x) * (1.0 - epsilon) - log_sigmoid(-x) * epsilon;
}

Tensor averaged_difference(const DpoTerms& t) {
  return t.chosen_score / t.logps.chosen_tokens - t.rejected_score / t.logps.rejected_tokens;
}

Tensor sorted(const Tensor& x) { return std::get<0>(x.sort()); }

Tensor sigmoid_loss(const DpoTerms& t) { return smoothed(t.margin, t.settings.label_smoothing); }

Tensor hinge_loss(const DpoTerms& t) { return torch::relu(1.0 - t.margin); }

/// @source arXiv:2310.12036, eq. 17, on averages over the response
Tensor ipo_loss(const DpoTerms& t) {
  return (averaged_difference(t) - 1.0 / (2.0 * t.settings.beta)).square();
}

/// @source arXiv:2403.00409
Tensor robust_loss(const DpoTerms& t) {
  const double epsilon = t.settings.label_smoothing;
  return (-(1.0 - epsilon) * log_sigmoid(t.margin) + epsilon * log_sigmoid(-t.margin)) /
         (1.0 - 2.0 * epsilon);
}

/// @source arXiv:2402.00856, eq. 16
Tensor exo_pair_loss(const DpoTerms& t) {
  constexpr double kSmallestEpsilon = 1e-3;  // its logarithm is part of the loss
  const double epsilon =
      t.settings.label_smoothing > 0 ? t.settings.label_smoothing : kSmallestEpsilon;
  return sigmoid(t.margin) * (log_sigmoid(t.margin) - std::log1p(-epsilon)) +
         sigmoid(-t.margin) * (log_sigmoid(-t.margin) - std::log(epsilon));
}

/// @source arXiv:2402.05369
Tensor nca_pair_loss(const DpoTerms& t) {
  const Tensor chosen = t.chosen_ratio * t.settings.beta;
  const Tensor rejected = t.rejected_ratio * t.settings.beta;
  return -log_sigmoid(chosen) - 0.5 * log_sigmoid(-chosen) - 0.5 * log_sigmoid(-rejected);
}

/// @source arXiv:2404.04656, eq. 8
Tensor bco_pair_loss(const DpoTerms& t) {
  const Tensor chosen = t.chosen_ratio * t.settings.beta - t.settings.reward_shift;
  const Tensor rejected = t.rejected_ratio * t.settings.beta - t.settings.reward_shift;
  return -log_sigmoid(chosen) - log_sigmoid(-rejected);
}

/// @source arXiv:2405.00675, eq. 4.7 with hard probabilities
Tensor sppo_hard_loss(const DpoTerms& t) {
  const double half = 0.5 / t.settings.beta;
  return (t.chosen_ratio - half).square() + (t.rejected_ratio + half).square();
}

/// Compares distributions over the batch, not pairs. @source arXiv:2406.05882
Tensor aot_loss(const DpoTerms& t) {
  const PairLogps& l = t.logps;
  const Tensor difference = sorted(l.chosen - l.rejected) - sorted(l.ref_chosen - l.ref_rejected);
  return smoothed(difference * t.settings.beta, t.settings.label_smoothing);
}

Tensor aot_unpaired_loss(const DpoTerms& t) {
  const Tensor difference = sorted(t.chosen_ratio) - sorted(t.rejected_ratio);
  return smoothed(difference * t.settings.beta, t.settings.label_smoothing);
}

/// @source arXiv:2408.06266, eq. 7
Tensor apo_zero_loss(const DpoTerms& t) {
  const double beta = t.settings.beta;
  return 1.0 - sigmoid(t.chosen_ratio * beta) + sigmoid(t.rejected_ratio * beta);
}

/// @source arXiv:2408.06266, eq. 8
Tensor apo_down_loss(const DpoTerms& t) {
  const double beta = t.settings.beta;
  return sigmoid(t.chosen_ratio * beta) + 1.0 - sigmoid((t.chosen_ratio - t.rejected_ratio) * beta);
}

/// @source arXiv:2406.08414, eq. 5
Tensor discopop_loss(const DpoTerms& t) {
  const Tensor share = sigmoid(t.margin / t.settings.discopop_tau);
  return -log_sigmoid(t.margin) * (1.0 - share) + torch::exp(-t.margin) * share;
}

/// The chosen answers' negative log-likelihood, a mean over all their tokens.
Tensor sft_loss(const DpoTerms& t) {
  const double mean_tokens = t.settings.mean_chosen_tokens;
  const Tensor tokens = mean_tokens > 0 ? t.logps.chosen_tokens.new_full({}, mean_tokens)
                                        : t.logps.chosen_tokens.mean();
  return (-t.logps.chosen.mean() / tokens).expand_as(t.logps.chosen);
}

Tensor sigmoid_norm_loss(const DpoTerms& t) {
  return -log_sigmoid(averaged_difference(t) * t.settings.beta);
}

template <class Table>
const auto& entry_named(const Table& table, const std::string& name, const char* what) {
  std::vector<std::string> known;
  for (const auto& entry : table) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  throw ConfigError(
      fmt::format("{}: '{}' is unknown; expected one of {}", what, name, fmt::join(known, ", ")));
}

DpoTerms terms_of(const PairLogps& logps, const DpoSettings& settings) {
  const auto& divergence =
      entry_named(f_divergences(), settings.f_divergence_type, "f_divergence_type");
  const Tensor chosen_ratio = logps.chosen - logps.ref_chosen;
  const Tensor rejected_ratio = logps.rejected - logps.ref_rejected;
  const Tensor chosen_score = divergence.score(chosen_ratio, settings.f_alpha_divergence_coef);
  const Tensor rejected_score = divergence.score(rejected_ratio, settings.f_alpha_divergence_coef);
  Tensor margin = (chosen_score - rejected_score) * settings.beta;
  if (logps.margins.defined()) margin = margin - logps.margins;
  return {logps, settings, chosen_ratio, rejected_ratio, chosen_score, rejected_score, margin};
}

}  // namespace

const std::vector<DpoLossType>& dpo_loss_types() {
  static const std::vector<DpoLossType> table = {{"sigmoid", sigmoid_loss},
                                                 {"hinge", hinge_loss},
                                                 {"ipo", ipo_loss},
                                                 {"robust", robust_loss},
                                                 {"exo_pair", exo_pair_loss},
                                                 {"nca_pair", nca_pair_loss},
                                                 {"bco_pair", bco_pair_loss},
                                                 {"sppo_hard", sppo_hard_loss},
                                                 {"aot", aot_loss},
                                                 {"aot_unpaired", aot_unpaired_loss},
                                                 {"apo_zero", apo_zero_loss},
                                                 {"apo_down", apo_down_loss},
                                                 {"discopop", discopop_loss},
                                                 {"sft", sft_loss},
                                                 {"sigmoid_norm", sigmoid_norm_loss}};
  return table;
}

const std::vector<std::string>& f_divergence_types() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const FDivergence& divergence : f_divergences()) list.push_back(divergence.name);
    return list;
  }();
  return names;
}

PairLosses dpo_loss(const PairLogps& logps, const DpoSettings& settings) {
  const std::vector<double>& weights = settings.loss_weights;
  HONE_CHECK(ConfigError, !settings.loss_type.empty(), "loss_type: names no loss");
  HONE_CHECK(ConfigError, weights.empty() || weights.size() == settings.loss_type.size(),
             "loss_weights: {} weights for {} loss types; give one for each", weights.size(),
             settings.loss_type.size());
  const DpoTerms terms = terms_of(logps, settings);
  Tensor losses = torch::zeros_like(logps.ref_chosen);
  for (std::size_t i = 0; i < settings.loss_type.size(); ++i) {
    const DpoLossType& type = entry_named(dpo_loss_types(), settings.loss_type[i], "loss_type");
    losses = losses + type.losses(terms) * (weights.empty() ? 1.0 : weights[i]);
  }
  return {losses, terms.chosen_ratio.detach() * settings.beta,
          terms.rejected_ratio.detach() * settings.beta};
}

Tensor length_desensitised_weights(const std::vector<std::int64_t>& chosen_tokens,
                                   const std::vector<std::int64_t>& rejected_tokens,
                                   double ld_alpha) {
  HONE_CHECK(ShapeError, chosen_tokens.size() == rejected_tokens.size(),
             "{} chosen and {} rejected answers do not make pairs", chosen_tokens.size(),
             rejected_tokens.size());
  std::vector<float> weights;
  for (std::size_t pair = 0; pair < chosen_tokens.size(); ++pair) {
    const std::int64_t shared = std::min(chosen_tokens[pair], rejected_tokens[pair]);
    for (const std::int64_t length : {chosen_tokens[pair], rejected_tokens[pair]})
      for (std::int64_t i = 0; i < length; ++i)
        weights.push_back(i < shared ? 1.0f : static_cast<float>(ld_alpha));
  }
  return torch::tensor(weights, torch::kFloat32);
}

Tensor wpo_weights(const Tensor& chosen, const Tensor& rejected) {
  return torch::exp(chosen.detach() + rejected.detach());
}

}  // namespace hone::loss
