#include "adapters/eva.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "adapters/methods/keys.h"
#include "adapters/targets.h"
#include "base/error.h"

namespace hone::adapters {

using nlohmann::json;

namespace {

/// Tells the search what a layer is given, and leaves the layer as it is.
class Listener final : public model::LinearAdapter {
 public:
  explicit Listener(std::function<void(const Tensor&)> hear) : hear_(std::move(hear)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    hear_(x);
    return base.base_forward(x);
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return base_weight(base, torch::kFloat32);
  }

 private:
  std::function<void(const Tensor&)> hear_;
};

/// An embedding is given tokens, not numbers: it begins as it does without EVA.
bool is_watched(const Site& site) {
  return site.kind == SiteKind::kLinear || site.kind == SiteKind::kHead;
}

/// Its tokens are not those of the stream, and in another order.
bool is_expert(const Site& site) { return site.name.find(".experts.") != std::string::npos; }

}  // namespace

bool begins_by_eva(const Settings& settings) {
  return settings.values().value("init_lora_weights", json(true)) == "eva";
}

EvaOptions eva_options(const Settings& settings) {
  const Settings own(settings.get<json>("eva_config"), settings.where() + ", eva_config");
  return {.rho = own.get("rho", 2.0),
          .tau = own.get("tau", 0.99),
          .use_label_mask = own.get("use_label_mask", true),
          .whiten = own.get("whiten", false),
          .adjust_scaling_factors = own.get("adjust_scaling_factors", true)};
}

EvaSearch::EvaSearch(model::Decoder& decoder, const Method& method, const Settings& settings)
    : decoder_(decoder), options_(eva_options(settings)), where_(settings.where()) {
  for (const Site& site : choose_sites(method, settings, sites_of(decoder))) {
    if (!is_watched(site)) continue;
    const std::int64_t rank = rank_of(settings, site.name), limit = std::min(site.in, site.out);
    HONE_CHECK(ConfigError, rank <= limit,
               "{}: the rank {} of {} is above that of its matrix: [{}, {}] has {}", where_, rank,
               site.name, site.out, site.in, limit);
    const auto most =
        std::min(limit, static_cast<std::int64_t>(std::nearbyint(double(rank) * options_.rho)));
    modules_.push_back({site, rank, most, most, {}});
    components_ = std::max(components_, most);
  }
  HONE_CHECK(ConfigError, !modules_.empty(),
             "{}: init_lora_weights: eva looks at what linear layers are given, and target_modules "
             "names none",
             where_);
  for (std::size_t i = 0; i < modules_.size(); ++i)
    if (modules_[i].site.kind == SiteKind::kLinear)
      linear_at(decoder_, modules_[i].site).adapter =
          std::make_shared<Listener>([this, i](const Tensor& x_NI) { hear(i, x_NI); });
}

EvaSearch::~EvaSearch() {
  for (const Module& module : modules_)
    if (module.site.kind == SiteKind::kLinear) linear_at(decoder_, module.site).adapter.reset();
}

void EvaSearch::see(const model::TokenStream& tokens, const Tensor& rows_K) {
  const torch::NoGradGuard no_grad;
  rows_K_ = rows_K;
  const Tensor hidden = model::hidden_states(decoder_, tokens);
  for (std::size_t i = 0; i < modules_.size(); ++i)
    if (modules_[i].site.kind == SiteKind::kHead) hear(i, hidden);
  last_x_.reset();
  distribute_ranks();
}

void EvaSearch::hear(std::size_t module, const Tensor& x_NI) {
  if (!modules_[module].input) join_input(module, x_NI);
  const bool is_same = last_x_.defined() && x_NI.is_same(last_x_);
  last_x_ = x_NI;
  last_module_ = module;
  Input& input = inputs_[*modules_[module].input];
  if (is_same || input.rests) return;
  const bool all = !rows_K_.defined() || is_expert(modules_[module].site);
  take_in(input, all ? x_NI : x_NI.index_select(0, rows_K_));
}

/// Modules that read the same tensor do so one after the other.
void EvaSearch::join_input(std::size_t module, const Tensor& x_NI) {
  if (last_x_.defined() && x_NI.is_same(last_x_)) {
    modules_[module].input = modules_[last_module_].input;
    return;
  }
  modules_[module].input = inputs_.size();
  inputs_.push_back({IncrementalPca(std::min(components_, x_NI.size(1))), {}, 0, {}, false});
}

/// Few rows wait for more: fewer than directions would not tell these apart.
void EvaSearch::take_in(Input& input, const Tensor& rows) {
  if (rows.size(0) == 0) return;
  input.waiting.push_back(rows.to(torch::kFloat32));
  input.rows_waiting += rows.size(0);
  if (input.rows_waiting < input.pca.components()) return;
  const Tensor before = input.pca.directions();
  input.pca.fit(torch::cat(input.waiting));
  input.waiting.clear();
  input.rows_waiting = 0;
  if (before.defined()) input.cosines = (before * input.pca.directions()).sum(1);
}

/// The budget is what the settings give all modules together; the directions that explain most of
/// their inputs get it. Equal shares go to the module that comes first.
void EvaSearch::distribute_ranks() {
  const auto is_ready = [this](const Module& m) {
    return m.input && inputs_[*m.input].pca.is_fitted();
  };
  if (!std::all_of(modules_.begin(), modules_.end(), is_ready)) return;
  std::vector<std::pair<double, std::size_t>> shares;
  std::int64_t budget = 0;
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    const Tensor explained = inputs_[*modules_[i].input].pca.explained();
    for (std::int64_t k = 0; k < modules_[i].most; ++k)
      shares.emplace_back(explained[k].item<double>(), i);
    budget += modules_[i].own_rank;
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (Module& module : modules_) module.rank = 0;
  for (std::int64_t k = 0; k < budget; ++k) ++modules_[shares[std::size_t(k)].second].rank;

  for (Input& input : inputs_) input.rests = true;
  for (const Module& module : modules_) {
    Input& input = inputs_[*module.input];
    if (!input.rests || module.rank == 0) continue;
    input.rests = input.cosines.defined() &&
                  input.cosines.narrow(0, 0, module.rank).ge(options_.tau).all().item<bool>();
  }
}

bool EvaSearch::has_converged() const {
  return !inputs_.empty() &&
         std::all_of(modules_.begin(), modules_.end(),
                     [](const Module& module) { return module.input.has_value(); }) &&
         std::all_of(inputs_.begin(), inputs_.end(),
                     [](const Input& input) { return input.rests; });
}

EvaStart EvaSearch::start() const {
  std::vector<std::string> unseen;
  for (const Module& module : modules_)
    if (!module.input || !inputs_[*module.input].pca.is_fitted())
      unseen.push_back(module.site.name);
  HONE_CHECK(ConfigError, unseen.empty(),
             "{}: init_lora_weights: eva: the data gives fewer tokens than the {} directions that "
             "are looked for to: {}. Lower adapter.eva_rho or adapter.r, set "
             "adapter.eva_use_label_mask: false, or leave these out of target_modules",
             where_, components_, fmt::join(unseen, ", "));
  EvaStart start;
  for (const Module& module : modules_) {
    if (module.rank == 0) continue;
    const IncrementalPca& pca = inputs_[*module.input].pca;
    Tensor a = pca.directions().narrow(0, 0, module.rank).clone(at::MemoryFormat::Contiguous);
    if (options_.whiten)
      a.div_(pca.singular_values().narrow(0, 0, module.rank).sqrt().unsqueeze(1));
    start[module.site.name] = a;
  }
  return start;
}

Adapter make_eva_adapter(model::Decoder& decoder, const Method& method, Settings settings,
                         std::uint64_t seed, const EvaStart& start) {
  const bool adjusts = eva_options(settings).adjust_scaling_factors;
  const auto r = settings.get<std::int64_t>("r");
  const auto lora_alpha = settings.get<double>("lora_alpha");
  json targets = json::array(), ranks = json::object(), alphas = json::object();
  for (const Site& site : choose_sites(method, settings, sites_of(decoder))) {
    std::int64_t rank = rank_of(settings, site.name);
    double alpha = alpha_of(settings, site.name, "lora_alpha");
    if (is_watched(site)) {
      const auto given = start.find(site.name);
      if (given == start.end()) continue;
      if (adjusts) alpha *= double(given->second.size(0)) / double(rank);
      rank = given->second.size(0);
    }
    targets.push_back(site.name);
    if (rank != r) ranks[site.name] = rank;
    if (alpha != lora_alpha) alphas[site.name] = alpha;
  }
  settings.set("target_modules", std::move(targets));
  settings.set("rank_pattern", std::move(ranks));
  settings.set("alpha_pattern", std::move(alphas));
  // The targets say it all.
  for (const char* key : {"exclude_modules", "layers_to_transform", "layers_pattern"})
    settings.set(key, nullptr);
  Adapter adapter = make_adapter(decoder, method, std::move(settings), seed);
  for (AdaptedModule& module : adapter.modules)
    if (const auto given = start.find(module.site.name); given != start.end())
      module.tensors["lora_A.weight"] = given->second.to(decoder.device()).clone();
  return adapter;
}

}  // namespace hone::adapters
