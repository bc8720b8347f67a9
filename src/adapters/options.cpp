#include "adapters/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "adapters/initial.h"
#include "adapters/method.h"
#include "adapters/partial.h"
#include "adapters/pattern.h"

namespace hone::adapters {

using namespace config;
using nlohmann::json;

namespace {

/// Options that are the same for every method that trains an adapter.
constexpr const char* kForEveryMethod[] = {"method", "init_from"};

/// Options that say how an initialisation of LoRA goes about it.
struct OfInitialisation {
  std::string_view option, initialisation;
};
constexpr OfInitialisation kOfInitialisations[] = {
    {"eva_rho", "eva"},      {"eva_tau", "eva"},
    {"eva_whiten", "eva"},   {"eva_use_label_mask", "eva"},
    {"loftq_iter", "loftq"}, {"eva_adjust_scaling_factors", "eva"}};

/// @return the initialisation that an option belongs to, or ""
std::string_view initialisation_of(std::string_view option) {
  for (const OfInitialisation& one : kOfInitialisations)
    if (one.option == option) return one.initialisation;
  return "";
}

/// Options of restarts, which go with whatever has init_lora_weights.
bool is_of_restarts(std::string_view option) { return option.starts_with("relora_"); }

std::vector<std::string> method_names() {
  std::vector<std::string> names = {"none", "full", "partial", "bitfit"};
  for (const Method& method : methods()) names.push_back(method.name);
  return names;
}

std::string methods_help() {
  std::string help =
      "none, or by its other name full: every weight of the model is trained. Otherwise the base "
      "is "
      "frozen and an adapter is trained:";
  for (const Method& method : methods()) help += fmt::format(" {}: {}", method.name, method.help);
  return help;
}

bool reads(const Method& method, std::string_view option) {
  if (!initialisation_of(option).empty() || is_of_restarts(option))
    return reads(method, "init_lora_weights");
  if (std::find(std::begin(kForEveryMethod), std::end(kForEveryMethod), option) !=
      std::end(kForEveryMethod))
    return true;
  return std::any_of(method.keys.begin(), method.keys.end(), [&](const ConfigKey& key) {
    return key.option != nullptr && key.option == option;
  });
}

void check_has_effect(const AdapterOptions& options, Problems& problems) {
  const Method* method = find_method(options.method);
  for (const Field& field : AdapterOptions::table().schema().fields) {
    if (field.key == "method" || !problems.given(field.key)) continue;
    if (partial_reads(options.method, field.key)) continue;
    if (trains_some_weights(options.method)) {
      problems.add(field.key, fmt::format("adapter.method {} has no such option", options.method));
    } else if (method == nullptr) {
      problems.add(field.key, "has no effect without an adapter; add adapter.method: lora");
    } else if (!reads(*method, field.key)) {
      problems.add(field.key, fmt::format("adapter.method {} has no such option", options.method));
    } else if (const auto of = initialisation_of(field.key);
               !of.empty() && of != options.init_lora_weights) {
      problems.add(field.key, fmt::format("has an effect with init_lora_weights: {} only", of));
    } else if (is_of_restarts(field.key) && options.relora_steps == 0) {
      problems.add(field.key, "has an effect with adapter.relora_steps only");
    }
  }
}

void check_initialisation(const AdapterOptions& options, Problems& problems) {
  const std::string& name = options.init_lora_weights;
  for (const char* known : {"default", "gaussian", "eva", "loftq"})
    if (name == known) return;
  if (is_taken_from_base(name)) return;
  problems.add("init_lora_weights",
               fmt::format("expected default, gaussian, eva, loftq, pissa, pissa_niter_N or olora, "
                           "got \"{}\"",
                           name));
}

/// After a restart B is zero and A is drawn anew: no other beginning has a second time.
void check_restarts(const AdapterOptions& options, Problems& problems) {
  if (options.relora_steps == 0) return;
  const std::string& name = options.init_lora_weights;
  if (name != "default" && name != "gaussian")
    problems.add("relora_steps", fmt::format("restarts begin by init_lora_weights: default or "
                                             "gaussian, and the config says {}",
                                             name));
  if (options.lora_bias)
    problems.add("relora_steps", "a lora_bias cannot be merged at a restart; leave it out");
  if (options.relora_warmup_steps + options.relora_anneal_steps > options.relora_steps)
    problems.add("relora_steps",
                 fmt::format("is {}, below relora_warmup_steps {} and relora_anneal_steps {} "
                             "together",
                             options.relora_steps, options.relora_warmup_steps,
                             options.relora_anneal_steps));
}

void check_target_rank(const AdapterOptions& options, Problems& problems) {
  if (options.method == "adalora" && problems.given("target_r") && options.target_r > options.r)
    problems.add("target_r", fmt::format("is {}, above the rank {} that adapter.r starts with",
                                         options.target_r, options.r));
  if (options.method != "adalora" || options.target_r < options.r) return;
  for (const char* key : {"tinit", "tfinal", "deltaT"})
    if (problems.given(key))
      problems.add(key,
                   fmt::format("has no effect: adapter.r {} is not above target_r {}, so no rank "
                               "is cut",
                               options.r, options.target_r));
}

/// Options of a part that another option switches on.
void check_switched_on(const AdapterOptions& options, Problems& problems) {
  struct Row {
    const char *method, *option, *needs;
    bool is_on;
  };
  const bool lstm = options.encoder_reparameterization_type == "LSTM";
  for (const Row& row :
       {Row{"oft", "eps", "coft: true", options.coft},
        Row{"p_tuning", "encoder_num_layers", "encoder_reparameterization_type: LSTM", lstm},
        Row{"p_tuning", "encoder_dropout", "encoder_reparameterization_type: LSTM", lstm},
        Row{"prefix_tuning", "encoder_hidden_size", "prefix_projection: true",
            options.prefix_projection}})
    if (options.method == row.method && options.init_from.empty() && !row.is_on &&
        problems.given(row.option))
      problems.add(row.option, fmt::format("has no effect without adapter.{}", row.needs));
}

void check_targets(const AdapterOptions& options, Problems& problems) {
  const auto& targets = options.target_modules;
  if (targets.size() > 1)
    for (const std::string& target : targets)
      if (is_pattern(target))
        problems.add("target_modules",
                     fmt::format("`{}` is a regular expression; one stands alone, among names it "
                                 "is none",
                                 target));
}

json to_json(const std::string& text) { return text; }
json to_json(double number) {
  return number == std::floor(number) ? json(static_cast<std::int64_t>(number)) : json(number);
}

/// An option's value as PEFT writes one of its kind: numbers without a fraction as integers, null
/// for an empty list.
json to_json(const Value& value) {
  return std::visit(
      [](const auto& x) -> json {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, double>) {
          return to_json(x);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>> ||
                             std::is_same_v<T, std::vector<double>>) {
          if (x.empty()) return nullptr;
          json list = json::array();
          for (const auto& item : x) list.push_back(to_json(item));
          return list;
        } else if constexpr (std::is_same_v<T, std::map<std::string, double>>) {
          json object = json::object();
          for (const auto& [key, number] : x) object[key] = to_json(number);
          return object;
        } else if constexpr (std::is_same_v<T, std::vector<Record>>) {
          throw InternalError("section adapter has no list of mappings");
        } else {
          return json(x);
        }
      },
      value);
}

/// `init_lora_weights: default` is PEFT's `true`; a single pattern among the targets is a text.
json in_peft_form(const std::string& option, json value) {
  if (option == "init_lora_weights" && value == "default") return true;
  const bool is_text = (option == "target_modules" || option == "exclude_modules") &&
                       value.is_array() && value.size() == 1 &&
                       (value[0] == "all-linear" || is_pattern(value[0]));
  return is_text ? value[0] : value;
}

}  // namespace

bool AdapterOptions::trains_adapter() const { return find_method(method) != nullptr; }

Settings settings_of(const AdapterOptions& options) {
  const Method* method = find_method(options.method);
  HONE_ASSERT(method != nullptr, "{}", options.method);
  Settings settings = settings_of(*method, options);
  if (options.method == "dora") settings.set("use_dora", true);
  // PEFT has the options of an initialisation in a table of their own.
  if (options.init_lora_weights == "eva")
    settings.set("eva_config", {{"rho", options.eva_rho},
                                {"tau", options.eva_tau},
                                {"use_label_mask", options.eva_use_label_mask},
                                {"label_mask_value", -100},
                                {"whiten", options.eva_whiten},
                                {"adjust_scaling_factors", options.eva_adjust_scaling_factors}});
  return settings;
}

Settings settings_of(const Method& method, const AdapterOptions& options) {
  const auto& table = AdapterOptions::table();
  json values = json::object();
  for (const ConfigKey& key : method.keys) {
    values[key.key] = key.preset;
    for (std::size_t i = 0; i < table.access().size(); ++i) {
      const std::string& option = table.schema().fields[i].key;
      if (key.option != nullptr && option == key.option)
        values[key.key] = in_peft_form(option, to_json(table.access()[i].get(options)));
    }
  }
  return Settings(std::move(values), "the config's section `adapter`");
}

const Table<AdapterOptions>& AdapterOptions::table() {
  using O = AdapterOptions;
  static const std::string help = methods_help();
  static const Table<O> table(
      "adapter", "What is trained: a small adapter on a frozen base, or the model itself.",
      {field("method", &O::method, "none", choices(method_names()), std::string_view(help)),
       field("r", &O::r, 16, at_least(1), at_most(1 << 16),
             "Rank of the update. 4 to 64 is usually enough. For bottleneck: its width."),
       field("lora_alpha", &O::lora_alpha, 32.0, above(0),
             "The update is scaled by lora_alpha / r."),
       field("lora_dropout", &O::lora_dropout, 0.0, at_least(0), below(1),
             "Share of the update's input that is dropped while training."),
       field("use_rslora", &O::use_rslora, false,
             "Scale by lora_alpha / sqrt(r) instead (arXiv:2312.03732)."),
       field("use_dora", &O::use_dora, false,
             "Train each output's magnitude apart from its direction (arXiv:2402.09353)."),
       field("lora_bias", &O::lora_bias, false, "Give the update's second matrix a bias."),
       field("bias", &O::bias, "none", choices({"none", "all", "lora_only"}),
             "Which biases of the base are trained as well: all of them, or those of adapted "
             "layers."),
       field("init_lora_weights", &O::init_lora_weights, "default",
             "How the update begins. default: Kaiming-uniform and zero; gaussian: normal with "
             "deviation 1/r, and zero; pissa: the base's leading singular vectors, by iteration as "
             "pissa_niter_N (arXiv:2404.02948); olora: those of a QR decomposition "
             "(arXiv:2406.01775). Of these two the base keeps what remains; they are saved as a "
             "LoRA of twice the rank on the base as it was. eva: the directions in which a layer's "
             "inputs vary most over the training data, ranks going where they explain most "
             "(arXiv:2410.07170). loftq: what a 4-bit base loses of its weights "
             "(arXiv:2310.08659)."),
       field("eva_rho", &O::eva_rho, 2.0, at_least(1),
             "eva: a module gets at most this times r ranks; 1 leaves every rank as it is."),
       field("eva_tau", &O::eva_tau, 0.99, above(0), at_most(1),
             "eva: a direction is found when a further batch turns it by less than this cosine."),
       field("eva_use_label_mask", &O::eva_use_label_mask, true,
             "eva: look only at tokens that are trained on."),
       field("eva_whiten", &O::eva_whiten, false,
             "eva: divide each direction by the root of its singular value."),
       field("eva_adjust_scaling_factors", &O::eva_adjust_scaling_factors, true,
             "eva: alpha goes with the rank that a module gets, so that updates keep their scale."),
       field("loftq_iter", &O::loftq_iter, 1, at_least(1), unit("rounds"),
             "loftq: how often base and update are fitted to each other. With 1 the base is the "
             "one that model.quantization gives, and the adapter is served on that; with more the "
             "run saves its base beside the adapter."),
       field("relora_steps", &O::relora_steps, 0, at_least(0), unit("steps"),
             "ReLoRA: after every so many steps the update is merged into the base and begins "
             "again, so that the sum of updates has a higher rank (arXiv:2307.05695). The run "
             "then saves a merged model. 0: never."),
       field("relora_warmup_steps", &O::relora_warmup_steps, 10, at_least(0), unit("steps"),
             "ReLoRA: over which the learning rate rises again after a restart."),
       field("relora_anneal_steps", &O::relora_anneal_steps, 0, at_least(0), unit("steps"),
             "ReLoRA: over which it falls before one."),
       field("relora_prune_ratio", &O::relora_prune_ratio, 0.9, at_least(0), at_most(1),
             "ReLoRA: share of the optimizer's state of the update, the smallest numbers of it, "
             "that a restart forgets; 1: all."),
       field(
           "target_modules", &O::target_modules, {"all-linear"}, kScalarOrList,
           "Which modules: all-linear (all but the head); or names as PEFT matches them, by their "
           "last parts (q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, "
           "embed_tokens, lm_head); or one regular expression for whole names."),
       field("target_parameters", &O::target_parameters, {}, kScalarOrList,
             "lora: stacked weights of experts, by the last parts of transformers' names "
             "(mlp.experts.gate_up_proj, mlp.experts.down_proj), in every layer. Each expert then "
             "has an update of rank r, computed for the tokens that are sent to it. all-linear "
             "then means the layers outside of experts."),
       field("exclude_modules", &O::exclude_modules, {}, kScalarOrList,
             "Of these, which not: names or one regular expression."),
       field("layers_to_transform", &O::layers_to_transform, {}, at_least(0),
             "Only layers of these numbers, from 0."),
       field("layers_pattern", &O::layers_pattern, {}, kScalarOrList,
             "What the list of numbered layers is called, where a name has several (layers)."),
       field("rank_pattern", &O::rank_pattern, {}, at_least(1),
             "Ranks of some modules: regular expression of a name or its last parts: rank."),
       field("alpha_pattern", &O::alpha_pattern, {}, above(0), "The same for lora_alpha."),
       field("modules_to_save", &O::modules_to_save, {}, kScalarOrList,
             "Modules that are trained whole and saved with the adapter (lm_head, embed_tokens)."),
       field("trainable_token_indices", &O::trainable_token_indices, {}, at_least(0),
             "Tokens whose rows of the embedding are trained."),
       field("target_r", &O::target_r, 8, at_least(1),
             "adalora: what is left of r at the end, on average over the modules; where r is not "
             "above it, ranks stay as they are."),
       field("tinit", &O::tinit, 0, at_least(0), unit("steps"),
             "adalora: steps before the first singular value goes."),
       field("tfinal", &O::tfinal, 0, at_least(0), unit("steps"),
             "adalora: steps at the end that change no rank."),
       field("deltaT", &O::deltaT, 1, at_least(1), unit("steps"),
             "adalora: steps between two cuts."),
       field("beta1", &O::beta1, 0.85, above(0), below(1),
             "adalora: how much of a number's importance is carried over to the next step."),
       field("beta2", &O::beta2, 0.85, above(0), below(1),
             "adalora: the same for its unsteadiness."),
       field("orth_reg_weight", &O::orth_reg_weight, 0.5, at_least(0),
             "adalora: weight of the term that keeps directions orthogonal."),
       field("feedforward_modules", &O::feedforward_modules, {"down_proj"}, kScalarOrList,
             "ia3: targets whose inputs are scaled instead of their outputs."),
       field("d_initial", &O::d_initial, 0.1, "vera: where the trained d begins."),
       field("projection_prng_key", &O::projection_prng_key, 0, at_least(0),
             "vera: seed of the shared random matrices."),
       field("num_vectors", &O::num_vectors, 256, at_least(1), "vblora: vectors in the bank."),
       field("vector_length", &O::vector_length, 256, at_least(1),
             "vblora: their length; it divides the sizes of all targets."),
       field("topk", &O::topk, 2, at_least(1), "vblora: vectors that make up a part."),
       field("decompose_both", &O::decompose_both, false, "lokr: factorise the left matrix too."),
       field("decompose_factor", &O::decompose_factor, -1,
             "lokr: size of the left factor; -1: near the square root."),
       field("oft_block_size", &O::oft_block_size, 32, at_least(2),
             "oft: size of a rotated block."),
       field("use_cayley_neumann", &O::use_cayley_neumann, true,
             "oft: rotate by a series of five terms instead of solving (faster, not exact)."),
       field("coft", &O::coft, false,
             "oft: keep every rotation near the identity, at most eps / sqrt(blocks) away."),
       field("eps", &O::eps, 6e-5, above(0), "oft with coft: how far all blocks may go together."),
       field("block_share", &O::block_share, false, "oft: one rotation for all blocks of a layer."),
       field("boft_block_size", &O::boft_block_size, 4, at_least(2),
             "boft: size of a rotated block."),
       field("boft_n_butterfly_factor", &O::boft_n_butterfly_factor, 1, at_least(1), at_most(32),
             "boft: rotations one after the other, each over blocks twice as far apart. PEFT loads "
             "more than one only where its CUDA extension is built."),
       field("num_virtual_tokens", &O::num_virtual_tokens, 20, at_least(1), unit("tokens"),
             "prompt_tuning, p_tuning, prefix_tuning: trained tokens before every document."),
       field("encoder_hidden_size", &O::encoder_hidden_size, 128, at_least(1),
             "p_tuning, prefix_tuning with prefix_projection: width of the network that makes "
             "them."),
       field("encoder_reparameterization_type", &O::encoder_reparameterization_type, "MLP",
             choices({"MLP", "LSTM"}),
             "p_tuning: what that network is. MLP: three linear layers, a token at a time; LSTM: "
             "a bidirectional one over the tokens, and two linear layers."),
       field("encoder_num_layers", &O::encoder_num_layers, 2, at_least(1), at_most(16),
             "p_tuning with LSTM: its layers."),
       field("encoder_dropout", &O::encoder_dropout, 0.0, at_least(0), below(1),
             "p_tuning with LSTM: share of what goes from layer to layer that is dropped while "
             "training."),
       field("prefix_projection", &O::prefix_projection, false,
             "prefix_tuning: make the prefix by a small network, which is left behind when it is "
             "saved."),
       field("init_from", &O::init_from, "",
             "A PEFT folder to go on from; rank, alpha and targets are then its own."),
       check<O>("Options of an adapter are set only where its method has them.", check_has_effect),
       check<O>("init_lora_weights is an initialisation that hone knows.", check_initialisation),
       check<O>("Restarts of ReLoRA begin as LoRA does.", check_restarts),
       check<O>("target_r is at most r.", check_target_rank),
       check<O>("Options of a network or limit are set only where it is switched on.",
                check_switched_on),
       check<O>("A regular expression stands alone in target_modules.", check_targets)});
  return table;
}

}  // namespace hone::adapters
