#include "adapters/experts.h"

#include <algorithm>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"
#include "adapters/parts.h"
#include "adapters/pattern.h"
#include "adapters/targets.h"
#include "base/error.h"
#include "config/problems.h"

// Axes: E experts, r rank of an expert's update, out and in the sizes of one expert's matrix.

namespace hone::adapters {
namespace {

/// Numbers of stacked weights: above those of every module (site.cpp), below the shared ones.
constexpr std::uint32_t kExpertSites = (1u << 22) + (1u << 21);
constexpr const char *kGateUp = "gate_up_proj", *kDown = "down_proj";

/// What the names of a layer's stacked weights begin with.
std::string prefix_of(std::size_t layer) {
  return fmt::format("model.layers.{}.mlp.experts.", layer);
}

/// The two matrices of each expert, cut out of those that all experts of a weight have together.
struct ExpertFactors {
  Parts a;  ///< [r, in] each
  Parts b;  ///< [out, r] each

  ExpertFactors(const Tensor& stacked_a, const Tensor& stacked_b, std::int64_t experts)
      : a(stacked_a,
          [experts](const Tensor& whole) {
            return whole.view({experts, -1, whole.size(1)}).unbind(0);
          }),
        b(stacked_b, [experts](const Tensor& whole) {
          return whole.view({whole.size(0), -1, experts}).permute({2, 0, 1}).unbind(0);
        }) {}
};

void check_names(const Settings& settings, const std::vector<Site>& there) {
  HONE_CHECK(ConfigError, !there.empty(),
             "{}: {}: this model has no experts, and experts' stacked weights are all that hone "
             "adapts by it; adapt modules by target_modules",
             settings.where(), kTargetParameters);
  for (const std::string& wanted : settings.texts(kTargetParameters))
    HONE_CHECK(ConfigError,
               std::any_of(there.begin(), there.end(),
                           [&](const Site& site) { return is_suffix(wanted, site.name); }),
               "{}: {}: `{}` names no stacked weight of this model{}. There are: {}; the weight of "
               "a module is adapted by target_modules",
               settings.where(), kTargetParameters, wanted,
               config::did_you_mean(wanted.substr(wanted.rfind('.') + 1), {kGateUp, kDown}),
               last_names(there));
}

/// What has no meaning for an update that is one with its weight.
void check_options(const Settings& settings) {
  for (const char* key : {"lora_dropout", "lora_bias", "use_dora"})
    HONE_CHECK(ConfigError, !settings.says(key),
               "{}: {}: {} is not there for stacked weights, in PEFT neither; set it to 0 or adapt "
               "the experts' layers one by one, by target_modules",
               settings.where(), kTargetParameters, key);
  const auto start = settings.values().value("init_lora_weights", nlohmann::json(true));
  HONE_CHECK(ConfigError, !start.is_string() || start == "gaussian",
             "{}: init_lora_weights: a stacked weight ({}) can begin as default or gaussian, not "
             "as {}",
             settings.where(), kTargetParameters, start.dump());
}

/// PEFT wraps a module once for each of its weights, the later around the earlier: the inner
/// wrapper's tensors stand behind `base_layer`.
void name_in_files(std::vector<Site>& sites) {
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const std::string module = sites[i].name.substr(0, sites[i].name.rfind('.'));
    const bool is_wrapped = i + 1 < sites.size() && sites[i + 1].name.starts_with(module + ".");
    sites[i].wrapper = is_wrapped ? module + ".base_layer" : module;
  }
}

}  // namespace

std::vector<Site> expert_sites_of(model::Decoder& decoder) {
  std::vector<Site> sites;
  std::uint32_t index = kExpertSites;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    if (!decoder.spec.layers[i].is_moe) continue;
    const std::int64_t h = decoder.spec.hidden_size;
    const std::int64_t inner = decoder.spec.moe.intermediate_size;
    const std::int64_t experts = decoder.spec.moe.num_experts;
    const std::string module = prefix_of(i);
    sites.push_back({module + kGateUp, SiteKind::kExperts, 2 * inner, h, index++, experts});
    sites.push_back({module + kDown, SiteKind::kExperts, h, inner, index++, experts});
  }
  return sites;
}

bool is_of_expert(const Site& site) { return site.name.find(".experts.") != std::string::npos; }

std::vector<Site> choose_expert_sites(const Method& method, const Settings& settings,
                                      model::Decoder& decoder) {
  const bool can = std::count(method.kinds.begin(), method.kinds.end(), SiteKind::kExperts) > 0;
  if (!can || !settings.says(kTargetParameters)) return {};
  const std::vector<Site> there = expert_sites_of(decoder);
  check_names(settings, there);
  check_options(settings);
  std::vector<Site> chosen;
  for (const Site& site : there)
    for (const std::string& wanted : settings.texts(kTargetParameters))
      if (is_suffix(wanted, site.name)) {
        chosen.push_back(site);
        break;
      }
  name_in_files(chosen);
  return chosen;
}

std::vector<model::Linear*> expert_layers(model::Decoder& decoder, const Site& site) {
  std::vector<model::Linear*> layers;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    if (!site.name.starts_with(prefix_of(i))) continue;
    for (model::Expert& expert : decoder.layers[i].experts) {
      if (site.name.ends_with(kDown)) {
        layers.push_back(&expert.down_proj);
      } else {
        layers.push_back(&expert.gate_proj);
        layers.push_back(&expert.up_proj);
      }
    }
  }
  return layers;
}

void attach_to_experts(const Place& place, model::Decoder& decoder) {
  const Site& site = place.site;
  const double scaling = lora_scaling(site, place.settings);
  const auto factors = std::make_shared<const ExpertFactors>(
      place.own.at("lora_A.weight"), place.own.at("lora_B.weight"), site.experts);
  const std::vector<model::Linear*> layers = expert_layers(decoder, site);
  const std::int64_t parts = std::ssize(layers) / site.experts, rows = site.out / parts;
  for (std::int64_t i = 0; i < std::ssize(layers); ++i)
    layers[static_cast<std::size_t>(i)]->adapter = low_rank_adapter(
        [=] {
          const std::int64_t expert = i / parts, first = i % parts * rows;
          return Factors{factors->a.at(expert), factors->b.at(expert).narrow(0, first, rows), {}};
        },
        scaling, place.dropping);
}

}  // namespace hone::adapters
