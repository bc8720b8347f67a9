#include "adapters/fold.h"

#include <algorithm>
#include <set>

#include "adapters/initial.h"
#include "adapters/leading_svd.h"
#include "adapters/methods/keys.h"
#include "adapters/targets.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

constexpr std::int64_t kRankOfOthers = 16;

/// Names of a LoRA pair: a linear's, or the embedding's.
struct PairNames {
  const char *a, *b;
};

PairNames names_for(const Site& site) {
  if (site.kind == SiteKind::kEmbedding) return {"lora_embedding_A", "lora_embedding_B"};
  return {"lora_A.weight", "lora_B.weight"};
}

bool is_lora(const Adapter& adapter) { return adapter.method->peft_type == std::string("LORA"); }

std::int64_t largest_rank(const Adapter& adapter) {
  std::int64_t largest = 0;
  for (const AdaptedModule& module : adapter.modules)
    largest = std::max(largest, rank_of(adapter.settings, module.site.name));
  return largest;
}

void say_rank(Settings& settings, std::int64_t rank) {
  for (const char* key : {"r", "lora_alpha"}) settings.set(key, rank);
  for (const char* key : {"rank_pattern", "alpha_pattern"}) settings.set(key, json::object());
  settings.set("use_rslora", false);
}

/// The rows of A and columns of B that a module lacks to the common rank, as zeros.
void pad(Tensors& tensors, const Site& site, std::int64_t rank, const std::string& where) {
  const PairNames names = names_for(site);
  Tensor &a = tensors.at(names.a), &b = tensors.at(names.b);
  const std::int64_t matrices = std::max<std::int64_t>(site.experts, 1);
  const std::int64_t missing = rank - a.size(0) / matrices;
  if (missing == 0) return;
  HONE_CHECK(ConfigError, site.experts == 0,
             "{}: the experts of {} have another rank than other modules; one rank for all is "
             "needed here. Export a merged model (--merge)",
             where, site.name);
  HONE_CHECK(ConfigError, rank <= std::min(site.in, site.out),
             "{}: one rank for all modules would be {}, more than the [{}, {}] matrix of {} has. "
             "Export a merged model (--merge)",
             where, rank, site.out, site.in, site.name);
  a = torch::cat({a, torch::zeros({missing, a.size(1)}, a.options())}, 0);
  b = torch::cat({b, torch::zeros({b.size(0), missing}, b.options())}, 1);
}

/// "model.layers.3.self_attn.q_proj" as a kind: "self_attn.q_proj".
std::string kind_of(const Site& site) {
  constexpr std::string_view kLayers = "model.layers.";
  if (!site.name.starts_with(kLayers)) return "";
  return site.name.substr(site.name.find('.', kLayers.size()) + 1);
}

/// Linear layers of a kind that the adapter has, where it has none.
std::vector<Site> sites_left_out(const Adapter& adapter, model::Decoder& decoder) {
  std::set<std::string> kinds, adapted;
  for (const AdaptedModule& module : adapter.modules) {
    adapted.insert(module.site.name);
    if (module.site.kind == SiteKind::kLinear) kinds.insert(kind_of(module.site));
  }
  std::vector<Site> left_out;
  for (const Site& site : sites_of(decoder))
    if (site.kind == SiteKind::kLinear && kinds.count(kind_of(site)) > 0 &&
        adapted.count(site.name) == 0)
      left_out.push_back(site);
  return left_out;
}

/// W' − W of a module, [out, in] f32. @pre the adapter is attached
Tensor change_at(model::Decoder& decoder, const Site& site, const std::string& where) {
  if (site.kind == SiteKind::kHead)
    return decoder.head_adapter->merged_weight(decoder.head()) -
           base_weight(decoder.head(), torch::kFloat32);
  const model::Linear& linear = linear_at(decoder, site);
  const Tensor bias = linear.adapter->merged_bias(linear);
  const bool keeps_bias =
      bias.defined() == linear.bias.defined() &&
      (!bias.defined() || bias.to(torch::kFloat32).equal(linear.bias.to(torch::kFloat32)));
  HONE_CHECK(ConfigError, keeps_bias,
             "{}: it changes the bias of {}, which no LoRA does. Export a merged model (--merge)",
             where, site.name);
  return linear.adapter->merged_weight(linear) - base_weight(linear, torch::kFloat32);
}

Nearness nearness(const std::string& module, const Tensor& change, const Tensor& near) {
  const Tensor missing = change - near;
  const double whole = change.norm().item<double>();
  return {module, whole > 0 ? missing.norm().item<double>() / whole : 0,
          missing.abs().max().item<double>()};
}

/// A LoRA's settings with what the adapter's own say of everything but the method.
Settings lora_settings(const Adapter& adapter, std::int64_t rank) {
  json values = json::object();
  for (const ConfigKey& key : find_method("lora")->keys) values[key.key] = key.preset;
  for (const char* key : {"bias", "modules_to_save", "trainable_token_indices"})
    if (adapter.settings.says(key)) values[key] = adapter.settings.values().at(key);
  std::vector<std::string> targets;
  for (const AdaptedModule& module : adapter.modules) targets.push_back(module.site.name);
  values["target_modules"] = targets;
  Settings settings(std::move(values), adapter.settings.where());
  say_rank(settings, rank);
  return settings;
}

/// The rank asked for, as far as all matrices have it.
std::int64_t rank_for(const Adapter& adapter, std::int64_t asked) {
  std::int64_t rank = asked > 0          ? asked
                      : is_lora(adapter) ? 2 * largest_rank(adapter)
                                         : kRankOfOthers;
  for (const AdaptedModule& module : adapter.modules)
    rank = std::min({rank, module.site.in, module.site.out});
  return rank;
}

void check_is_of_linears(const Adapter& adapter) {
  HONE_CHECK(ConfigError, adapter.method->virtual_tokens == nullptr && !adapter.modules.empty(),
             "{}: {} changes no weights that a LoRA could stand for", adapter.settings.where(),
             adapter.method->name);
  for (const AdaptedModule& module : adapter.modules)
    HONE_CHECK(ConfigError,
               module.site.kind == SiteKind::kLinear || module.site.kind == SiteKind::kHead,
               "{}: {} is no linear layer; only those can be turned into plain LoRA by SVD. Export "
               "a merged model (--merge)",
               adapter.settings.where(), module.site.name);
}

}  // namespace

bool needs_folding(const Adapter& adapter) {
  if (!is_lora(adapter)) return false;
  return adapter.settings.get("use_rslora", false) || adapter.settings.says("rank_pattern") ||
         adapter.settings.says("alpha_pattern");
}

Adapter fold(const Adapter& adapter) {
  HONE_CHECK(ConfigError, is_lora(adapter), "{}: only LoRA has a scaling to fold, not {}",
             adapter.settings.where(), adapter.method->name);
  const torch::NoGradGuard no_grad;
  Adapter folded = adapter.took_over_directions() ? as_plain_lora(adapter) : adapter;
  const Settings before = folded.settings;
  const std::int64_t rank = largest_rank(folded);
  for (AdaptedModule& module : folded.modules) {
    const double scaling = lora_scaling(module.site, before);
    Tensor& b = module.tensors.at(names_for(module.site).b);
    b = b * scaling;
    if (const auto bias = module.tensors.find("lora_B.bias"); bias != module.tensors.end())
      bias->second = bias->second * scaling;
    pad(module.tensors, module.site, rank, before.where());
  }
  say_rank(folded.settings, rank);
  return folded;
}

bool covers_all_layers(const Adapter& adapter, model::Decoder& decoder) {
  return sites_left_out(adapter, decoder).empty();
}

Adapter cover_all_layers(const Adapter& adapter, model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  Adapter covering = adapter;
  const auto rank = adapter.settings.get<std::int64_t>("r");
  for (const Site& site : sites_left_out(adapter, decoder)) {
    Tensors zeros = {{"lora_A.weight", torch::zeros({0, site.in})},
                     {"lora_B.weight", torch::zeros({site.out, 0})}};
    pad(zeros, site, rank, adapter.settings.where());
    covering.modules.push_back({site, std::move(zeros), {}});
  }
  std::vector<Site> chosen;
  for (const AdaptedModule& module : covering.modules) chosen.push_back(module.site);
  covering.settings.set("target_modules", name_targets(chosen, sites_of(decoder)));
  for (const char* key : {"layers_to_transform", "layers_pattern", "exclude_modules"})
    covering.settings.set(key, nullptr);
  return covering;
}

PlainLora plain_lora_near(Adapter& adapter, model::Decoder& decoder, std::int64_t rank) {
  check_is_of_linears(adapter);
  HONE_ASSERT(!adapter.took_over_directions(), "{} is as its folder has it",
              adapter.settings.where());
  const torch::NoGradGuard no_grad;
  const std::int64_t kept = rank_for(adapter, rank);
  PlainLora plain;
  Adapter& made = plain.adapter;
  made.method = find_method("lora");
  made.settings = lora_settings(adapter, kept);
  made.base_fingerprint = adapter.base_fingerprint;
  made.base_rows = adapter.base_rows;
  made.replaced = adapter.replaced;
  made.token_rows = adapter.token_rows;

  attach(adapter, decoder);
  for (const AdaptedModule& module : adapter.modules) {
    const Tensor change = change_at(decoder, module.site, adapter.settings.where());
    const auto [a, b] = balanced(exact_svd(change), kept, 1);
    plain.errors.push_back(nearness(module.site.name, change, b.mm(a)));
    made.modules.push_back({module.site, {{"lora_A.weight", a}, {"lora_B.weight", b}}, {}});
  }
  detach(adapter, decoder);
  return plain;
}

}  // namespace hone::adapters
