#include "export/rules.h"

#include <algorithm>
#include <set>

#include "adapters/fold.h"
#include "adapters/methods/keys.h"
#include "base/error.h"

namespace hone::exporting {

Facts facts_of(const adapters::AdapterOptions& options) {
  Facts facts;
  if (!options.trains_adapter()) {
    facts.peft_type.clear();
    return facts;
  }
  facts.peft_type = adapters::find_method(options.method)->peft_type;
  std::set<std::int64_t> ranks = {options.r};
  for (const auto& [pattern, rank] : options.rank_pattern) ranks.insert(std::int64_t(rank));
  facts.ranks = {ranks.begin(), ranks.end()};
  facts.use_dora = options.use_dora || options.method == "dora";
  facts.use_rslora = options.use_rslora;
  facts.has_patterns = !options.rank_pattern.empty() || !options.alpha_pattern.empty();
  facts.trains_biases = options.bias != "none";
  facts.has_lora_bias = options.lora_bias;
  facts.trains_experts = !options.target_parameters.empty();
  const auto targets = [&options](std::string_view module) {
    return std::ranges::find(options.target_modules, module) != options.target_modules.end();
  };
  facts.adapts_embedding = targets("embed_tokens");
  facts.adapts_head = targets("lm_head");
  facts.covers_all_layers = options.layers_to_transform.empty();
  facts.trains_tokens = !options.trainable_token_indices.empty();
  facts.modules_to_save = options.modules_to_save;
  return facts;
}

Facts facts_of(const adapters::Adapter& adapter, model::Decoder& decoder) {
  using adapters::SiteKind;
  const adapters::Settings& settings = adapter.settings;
  Facts facts;
  facts.peft_type = adapter.method->peft_type;
  std::set<std::int64_t> ranks;
  for (const adapters::AdaptedModule& module : adapter.modules) {
    if (facts.peft_type == "LORA") ranks.insert(adapters::rank_of(settings, module.site.name));
    facts.trains_experts = facts.trains_experts || module.site.kind == SiteKind::kExperts;
    facts.adapts_embedding = facts.adapts_embedding || module.site.kind == SiteKind::kEmbedding;
    facts.adapts_head = facts.adapts_head || module.site.kind == SiteKind::kHead;
  }
  facts.ranks = {ranks.begin(), ranks.end()};
  facts.use_dora = settings.get("use_dora", false);
  facts.use_rslora = settings.get("use_rslora", false);
  facts.has_patterns = settings.says("rank_pattern") || settings.says("alpha_pattern");
  facts.trains_biases = settings.get<std::string>("bias", "none") != "none";
  facts.has_lora_bias = settings.get("lora_bias", false);
  facts.covers_all_layers = adapters::covers_all_layers(adapter, decoder);
  facts.trains_tokens = !adapter.token_rows.empty();
  facts.brings_tokens = decoder.spec.added_rows > 0;
  facts.modules_to_save = settings.texts("modules_to_save");
  return facts;
}

std::vector<const Rule*> findings(std::span<const Rule> rules, const Facts& facts) {
  std::vector<const Rule*> found;
  if (facts.peft_type.empty()) return found;
  for (const Rule& rule : rules)
    if (rule.applies(facts)) found.push_back(&rule);
  return found;
}

std::string describe(const Rule& rule) {
  return fmt::format("{}: {} ({}). {}", rule.key, rule.reason, rule.source, rule.remedy);
}

}  // namespace hone::exporting
