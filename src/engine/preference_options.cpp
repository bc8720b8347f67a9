#include "engine/preference_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "config/load.h"
#include "engine/options.h"
#include "loss/dpo.h"

namespace hone::engine {

using namespace config;

namespace {

constexpr const char* kReferenceHelp =
    "What the policy is measured against. base: the model as it was loaded, which under an adapter "
    "is the same weights with the adapter off, and in full fine-tuning a frozen copy. "
    "initial_adapter: the adapter as it was at the start. none: nothing, its log-probabilities "
    "count as 0. Or another model: a folder, a .gguf file, an installed name.";

constexpr const char* kCacheHelp =
    "Where the reference's log-probabilities are kept, so that no later step or run computes them "
    "again: off (computed beside each step), auto ($XDG_CACHE_HOME/hone/reference, else "
    "~/.cache/hone/reference), or a folder. They are found by the content of model, adapter and "
    "tokenised rows, so they are never out of date; beta and the loss may change.";

void check_weights(const DpoOptions& options, Problems& problems) {
  if (options.loss_type.empty()) problems.add("loss_type", "names no loss");
  std::vector<std::string> names;
  for (const loss::DpoLossType& type : loss::dpo_loss_types()) names.push_back(type.name);
  for (const std::string& name : options.loss_type)
    if (std::ranges::find(names, name) == names.end())
      problems.add("loss_type", fmt::format("expected {}; got {}", fmt::join(names, ", "), name));
  if (options.label_smoothing == 0.5 && std::ranges::count(options.loss_type, "robust") > 0)
    problems.add("label_smoothing",
                 "0.5 says that labels are tossed coins, of which robust learns nothing; expected "
                 "less");
  if (!options.loss_weights.empty() && options.loss_weights.size() != options.loss_type.size())
    problems.add("loss_weights",
                 fmt::format("{} weights for {} loss types; give one for each",
                             options.loss_weights.size(), options.loss_type.size()));
}

void check_sync(const DpoOptions& options, Problems& problems) {
  const bool follows = options.reference == "base" || options.reference == "initial_adapter";
  if (options.sync_ref_model && !follows)
    problems.add("sync_ref_model",
                 fmt::format("has nothing to update where the reference is {}", options.reference));
  if (options.sync_ref_model && options.reference_cache != "off")
    problems.add("reference_cache",
                 "cannot keep what a reference says that changes; leave it off with "
                 "sync_ref_model");
}

}  // namespace

const Table<DpoOptions>& DpoOptions::table() {
  using O = DpoOptions;
  static const Table<O> table(
      "dpo", "Direct preference optimisation, where train.method is dpo.",
      {field("loss_type", &O::loss_type, {"sigmoid"}, kScalarOrList,
             "One loss or several, whose weighted sum is taken: sigmoid, hinge, ipo, robust, "
             "exo_pair, nca_pair, bco_pair, sppo_hard, aot, aot_unpaired, apo_zero, apo_down, "
             "discopop, sigmoid_norm, sft. aot compares the pairs of a micro-batch with one "
             "another."),
       field("loss_weights", &O::loss_weights, {}, "One weight for each loss_type; []: 1 each."),
       field("beta", &O::beta, 0.1, above(0),
             "How much a nat of difference from the reference is worth."),
       field("label_smoothing", &O::label_smoothing, 0.0, range(0, 0.5),
             "Share of pairs taken to be labelled the wrong way round."),
       field("f_divergence_type", &O::f_divergence_type, "reverse_kl",
             choices(loss::f_divergence_types()),
             "How the distance from the reference is measured."),
       field("f_alpha_divergence_coef", &O::f_alpha_divergence_coef, 0.5,
             "The α of alpha_divergence."),
       field("discopop_tau", &O::discopop_tau, 0.05, above(0), "The temperature of discopop."),
       field("ld_alpha", &O::ld_alpha, 1.0, range(0, 1),
             "Weight of an answer's tokens beyond the length of the pair's shorter one; 1: as the "
             "others (arXiv:2409.06411)."),
       field("use_weighting", &O::use_weighting, false,
             "Weigh each pair by how likely the policy itself is to give both answers "
             "(arXiv:2406.11827)."),
       field("rpo_alpha", &O::rpo_alpha, 0.0, at_least(0),
             "Weight of the chosen answers' negative log-likelihood, added to the loss "
             "(arXiv:2404.19733): the same as one more loss_type, sft."),
       field("reference", &O::reference, "base", kReferenceHelp),
       field("reference_cache", &O::reference_cache, "off", kCacheHelp),
       field("sync_ref_model", &O::sync_ref_model, false,
             "Let the reference follow the policy (TR-DPO, arXiv:2404.09656). Under an adapter the "
             "reference has to be initial_adapter."),
       field("ref_model_mixup_alpha", &O::ref_model_mixup_alpha, 0.6, range(0, 1),
             "The policy's share in what the reference becomes."),
       field("ref_model_sync_steps", &O::ref_model_sync_steps, 512, at_least(1),
             unit("optimizer steps"), "How often it follows."),
       check<O>("loss_type names losses, with a weight for each.", check_weights),
       check<O>("A reference that follows the policy is one that can.", check_sync)});
  return table;
}

const Table<KtoOptions>& KtoOptions::table() {
  using O = KtoOptions;
  static const Table<O> table(
      "kto", "Learning from single answers that are good or bad, where train.method is kto.",
      {field("loss_type", &O::loss_type, "kto", choices({"kto", "apo_zero_unpaired", "bco"}),
             "kto: prospect theory against a baseline (arXiv:2402.01306). apo_zero_unpaired: "
             "anchored to the reference (arXiv:2408.06266). bco: a classifier of rewards against "
             "their running mean (arXiv:2404.04656)."),
       field("beta", &O::beta, 0.1, above(0),
             "How much a nat of difference from the reference is worth."),
       field("desirable_weight", &O::desirable_weight, 1.0, at_least(0),
             "Weight of rows whose label is true. Where the labels are uneven, weigh them so that "
             "rows times weight is about the same on both sides."),
       field("undesirable_weight", &O::undesirable_weight, 1.0, at_least(0),
             "Weight of rows whose label is false."),
       field("kl_scope", &O::kl_scope, "step", choices({"step", "micro_batch"}),
             "What the baseline of kto and the running mean of bco are taken over: the whole "
             "optimizer step, so that nothing depends on how it is cut, or each micro-batch, as "
             "TRL does."),
       field("reference", &O::reference, "base", kReferenceHelp),
       field("reference_cache", &O::reference_cache, "off", kCacheHelp)});
  return table;
}

std::optional<ReferenceOptions> reference_options(const RunOptions& options) {
  if (options.train.method == "dpo")
    return ReferenceOptions{options.dpo.reference, options.dpo.reference_cache};
  if (options.train.method == "kto")
    return ReferenceOptions{options.kto.reference, options.kto.reference_cache};
  return std::nullopt;
}

bool needs_base(const RunOptions& options) {
  const auto wanted = reference_options(options);
  return wanted && (wanted->reference == "base" || wanted->reference == "initial_adapter");
}

bool lends_answers(const RunOptions& options) {
  return options.train.method == "kto" && options.kto.loss_type == "kto";
}

double length_alpha(const RunOptions& options) {
  return options.train.method == "dpo" ? options.dpo.ld_alpha : 1.0;
}

namespace {

template <class O>
nlohmann::json json_of(const O& options) {
  nlohmann::json json;
  const Table<O>& table = O::table();
  for (std::size_t i = 0; i < table.access().size(); ++i)
    if (const std::string& name = table.schema().fields[i].key; name != "reference_cache")
      json[name] = config::to_yaml(table.access()[i].get(options));
  return json;
}

}  // namespace

nlohmann::json method_identity(const RunOptions& options) {
  if (options.train.method == "dpo") return json_of(options.dpo);
  if (options.train.method == "kto") return json_of(options.kto);
  return {};
}

}  // namespace hone::engine
