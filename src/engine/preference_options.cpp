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

constexpr std::string_view kPrefixSharingHelp =
    "Whether the prompt of a pair is computed once for both answers, which gives the same numbers "
    "sooner. auto: where nothing tells the prompts of two documents apart, which a rope that looks "
    "at a document's length, adapter.lora_dropout and train.neftune_noise_alpha do. always: with "
    "dropout too, which is drawn once for both answers; refused with the others. never: both "
    "documents are computed whole.";

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

void check_reward(const RewardOptions& options, Problems& problems) {
  if (options.loss_type != "bradley_terry" && options.center_rewards_coefficient != 0)
    problems.add("center_rewards_coefficient",
                 "has no effect with reward.loss_type: " + options.loss_type +
                     "; leave it out, or compare pairs with bradley_terry");
}

void check_orpo(const OrpoOptions& options, Problems& problems) {
  const auto refuse = [&](const char* key, bool is_set, bool is_read, const char* readers) {
    if (is_set && !is_read)
      problems.add(key, "orpo.loss_type: " + options.loss_type +
                            " does not read it; leave it out, "
                            "or take " +
                            readers);
  };
  const std::string& type = options.loss_type;
  refuse("label_smoothing", options.label_smoothing != 0, type == "sigmoid" || type == "simpo",
         "sigmoid or simpo");
  refuse("alpha", options.alpha != 0, type != "orpo", "another than orpo");
  if (options.nll_weight == 0.0 && options.nll_on == "all")
    problems.add("nll_on", "has no effect where orpo.nll_weight is 0");
}

}  // namespace

const Table<DpoOptions>& DpoOptions::table() {
  using O = DpoOptions;
  static const Table<O> table(
      "dpo", "Direct preference optimisation, where train.method is dpo.",
      {field("loss_type", &O::loss_type, {"sigmoid"}, kScalarOrList,
             "One loss or several, whose weighted sum is taken: sigmoid, hinge, ipo, robust, "
             "exo_pair, nca_pair, bco_pair, sppo_hard, aot, aot_unpaired, apo_zero, apo_down, "
             "discopop, sigmoid_norm, sft. aot and aot_unpaired compare the pairs of an "
             "optimizer step with one another; where it is cut into micro-batches, these are "
             "computed once more."),
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
       field("prefix_sharing", &O::prefix_sharing, "auto", choices({"auto", "always", "never"}),
             kPrefixSharingHelp),
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

const Table<RewardOptions>& RewardOptions::table() {
  static const Table<RewardOptions> table(
      "reward", "train.method: reward. What a reward model learns from, and how.",
      {field(
           "loss_type", &RewardOptions::loss_type, "bradley_terry",
           choices({"bradley_terry", "regression", "stepwise"}),
           "bradley_terry: from pairs; the chosen answer's reward is to be the larger one, by the "
           "row's margin where it has one. regression: from answers with a score, by squared "
           "error; a score that is a list has one number for each output of the head "
           "(model.num_labels). stepwise: from solutions whose steps are labelled right or "
           "wrong; each is judged at its last token."),
       field("center_rewards_coefficient", &RewardOptions::center_rewards_coefficient, 0.0,
             at_least(0),
             "Adds this times (r_chosen + r_rejected)^2 to a pair's loss, so that rewards lie "
             "around 0 (arXiv:2312.09244). 0.01 is usual."),
       field("prefix_sharing", &RewardOptions::prefix_sharing, "auto",
             choices({"auto", "always", "never"}), kPrefixSharingHelp),
       check<RewardOptions>("Keys that the loss does not read are refused.", check_reward)});
  return table;
}

const Table<OrpoOptions>& OrpoOptions::table() {
  static const Table<OrpoOptions> table(
      "orpo", "train.method: orpo. Preference without a reference model.",
      {field("loss_type", &OrpoOptions::loss_type, "orpo",
             choices({"orpo", "sigmoid", "hinge", "ipo", "simpo"}),
             "How a pair is compared. orpo: by the log of its odds ratio (arXiv:2403.07691). "
             "sigmoid: CPO, by summed log-probabilities (arXiv:2401.08417); hinge the same with a "
             "hinge. ipo: by "
             "averaged ones, towards 1/(2 beta). simpo: by averaged ones, with a margin "
             "(arXiv:2405.14734)."),
       field("beta", &OrpoOptions::beta, 0.1, above(0),
             "Weight of orpo's comparison (lambda of the paper), and what the others multiply "
             "differences with. simpo: 2 to 10."),
       field("label_smoothing", &OrpoOptions::label_smoothing, 0.0, at_least(0), below(0.5),
             "sigmoid, simpo: the share of pairs taken to be labelled the wrong way round."),
       field("simpo_gamma", &OrpoOptions::simpo_gamma, 0.5, at_least(0),
             "simpo: the margin that the chosen answer should have."),
       field("alpha", &OrpoOptions::alpha, 0.0, at_least(0),
             "Above 0 a reward is (1 - p^-alpha) / alpha in place of log p: AlphaPO "
             "(arXiv:2501.03884)."),
       field("nll_weight", &OrpoOptions::nll_weight, std::nullopt, at_least(0),
             "Weight of the chosen answer's negative log-likelihood. null: 1, and 0 for simpo, as "
             "in their papers."),
       field("nll_on", &OrpoOptions::nll_on, "completion", choices({"completion", "all"}),
             "completion: the mean over the chosen answer's tokens, pair by pair. all: the mean "
             "over the tokens of prompt and answer of a whole micro-batch, as TRL has it."),
       field("prefix_sharing", &OrpoOptions::prefix_sharing, "auto",
             choices({"auto", "always", "never"}), kPrefixSharingHelp),
       check<OrpoOptions>("Keys that the loss does not read are refused.", check_orpo)});
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
    if (const std::string& name = table.schema().fields[i].key;
        name != "reference_cache" && name != "prefix_sharing")
      json[name] = config::to_yaml(table.access()[i].get(options));
  return json;
}

}  // namespace

nlohmann::json method_identity(const RunOptions& options) {
  if (options.train.method == "dpo") return json_of(options.dpo);
  if (options.train.method == "kto") return json_of(options.kto);
  if (options.train.method == "reward") return json_of(options.reward);
  if (options.train.method == "orpo") return json_of(options.orpo);
  return {};
}

}  // namespace hone::engine
