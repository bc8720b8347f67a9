#include "adapters/adapter.h"

#include <algorithm>

#include "adapters/experts.h"
#include "adapters/fingerprint.h"
#include "adapters/initial.h"
#include "adapters/targets.h"
#include "adapters/token_rows.h"
#include "base/error.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

constexpr const char* kModelPrefix = "base_model.model.";
constexpr const char* kSharedPrefix = "base_model.";

/// Which random numbers a tensor takes: the module's for its first tensor, others beside them.
std::uint64_t stream_of(std::uint32_t site, std::size_t tensor) {
  return site | (static_cast<std::uint64_t>(tensor) << 24);
}
constexpr std::uint32_t kSharedSite = (1u << 23) - 1;

Tensors make_tensors(const std::vector<TensorSpec>& specs, std::uint64_t seed, std::uint32_t site,
                     const std::function<Tensor()>& base, torch::Device device) {
  Tensors tensors;
  for (std::size_t i = 0; i < specs.size(); ++i)
    tensors[specs[i].name] =
        device.is_meta()
            ? torch::empty(specs[i].shape, torch::TensorOptions(device))
            : specs[i].start({specs[i].shape, seed, stream_of(site, i), base}).to(device);
  return tensors;
}

/// LoRA's product has no more than min(in, out) directions to fill.
void check_rank(const Method& method, const Settings& settings, const Site& site) {
  if (method.peft_type != std::string("LORA") && method.peft_type != std::string("ADALORA")) return;
  const bool adaptive = method.peft_type == std::string("ADALORA");
  const nlohmann::json pattern =
      find_pattern(settings.values().value("rank_pattern", nlohmann::json()), site.name);
  const auto rank = !adaptive && !pattern.is_null()
                        ? pattern.get<std::int64_t>()
                        : settings.get<std::int64_t>(adaptive ? "init_r" : "r");
  HONE_CHECK(ConfigError, rank <= std::min(site.in, site.out),
             "{}: the rank {} of {} is above that of its matrix: [{}, {}] has {}; expected at most "
             "that, by `r` or by a line of `rank_pattern`",
             settings.where(), rank, site.name, site.out, site.in, std::min(site.in, site.out));
}

/// A pattern table's every key has to say something of an adapted module.
void check_patterns(const Settings& settings, const std::vector<Site>& sites) {
  for (const char* key : {"rank_pattern", "alpha_pattern"}) {
    const nlohmann::json patterns = settings.values().value(key, nlohmann::json());
    if (!patterns.is_object()) continue;
    for (const auto& [pattern, value] : patterns.items()) {
      // AdaLoRA's names the singular values that it cut: MODULE.lora_E.
      const std::string module = pattern.substr(0, pattern.rfind(".lora_E"));
      const bool used = std::any_of(sites.begin(), sites.end(), [&](const Site& site) {
        return !find_pattern({{module, 0}}, site.name).is_null();
      });
      HONE_CHECK(ConfigError, used,
                 "{}: {}: `{}` matches none of the adapted modules; it is a regular expression for "
                 "a whole name or its last parts, and the adapted modules are: {}",
                 settings.where(), key, pattern, last_names(sites));
    }
  }
}

Tensor trained_copy(const Tensor& weight) { return weight.detach().to(torch::kFloat32).clone(); }

void replace_weight(Adapter& adapter, model::Decoder& decoder, const std::string& weight,
                    std::string file_name) {
  const Tensor* found = find_weight(decoder, weight);
  HONE_ASSERT(found != nullptr && found->defined(), "{}", weight);
  adapter.replaced.push_back({weight, std::move(file_name), trained_copy(*found), true, {}});
}

void add_saved_modules(Adapter& adapter, model::Decoder& decoder, const std::vector<Site>& sites) {
  for (const Site& site : sites_to_save(adapter.settings, sites))
    for (const char* part : {".weight", ".bias"})
      if (find_weight(decoder, site.name + part) != nullptr)
        replace_weight(adapter, decoder, site.name + part, site.name + part);
}

/// `bias: all` trains every bias, `bias: lora_only` those of adapted modules.
void add_biases(Adapter& adapter, model::Decoder& decoder) {
  const auto bias = adapter.settings.get<std::string>("bias", "none");
  if (bias == "none") return;
  const std::size_t before = adapter.replaced.size();
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    if (!slot.name.ends_with(".bias")) continue;
    const std::string module = slot.name.substr(0, slot.name.size() - 5);
    const bool adapted = std::any_of(adapter.modules.begin(), adapter.modules.end(),
                                     [&](const AdaptedModule& m) { return m.site.name == module; });
    if (bias == "all" || adapted)
      replace_weight(adapter, decoder, slot.name,
                     module + (adapted ? ".base_layer.bias" : ".bias"));
  }
  HONE_CHECK(ConfigError, adapter.replaced.size() > before,
             "{}: bias: {}: this model has no such bias", adapter.settings.where(), bias);
}

}  // namespace

std::vector<NamedTensor> Adapter::state() const {
  std::vector<NamedTensor> state;
  const auto is_shared_trained = [this](const std::string& name) {
    std::vector<Site> sites;
    for (const AdaptedModule& module : modules) sites.push_back(module.site);
    for (const TensorSpec& spec : method->shared(sites, settings))
      if (spec.name == name) return spec.is_trained;
    return true;
  };
  for (const AdaptedModule& module : modules)
    for (const auto& [name, tensor] : module.tensors)
      state.push_back({kModelPrefix + module.site.file_name() + "." + name, tensor});
  for (const auto& [name, tensor] : shared)
    state.push_back({kSharedPrefix + name, tensor, is_shared_trained(name)});
  for (const auto& [name, tensor] : virtual_tensors) state.push_back({name, tensor});
  for (const Replacement& one : replaced)
    if (!one.file_name.empty())
      state.push_back({kModelPrefix + one.file_name, one.tensor, one.is_trained});
  for (const TokenRows& tokens : token_rows)
    state.push_back({kModelPrefix + tokens.file_name, tokens.rows});
  return state;
}

std::vector<NamedTensor> Adapter::exported() const {
  if (method->exported == nullptr) return state();
  std::vector<NamedTensor> exported;
  for (const auto& [name, tensor] : method->exported(settings, virtual_tensors))
    exported.push_back({name, tensor});
  return exported;
}

bool Adapter::took_over_directions() const {
  return std::any_of(modules.begin(), modules.end(),
                     [](const AdaptedModule& module) { return !module.taken_over.empty(); });
}

std::int64_t Adapter::parameter_count() const {
  std::int64_t count = 0;
  for (const NamedTensor& named : state())
    if (named.is_trained) count += named.tensor.numel();
  return count;
}

Tensor Adapter::penalty() const {
  if (method->penalty == nullptr) return {};
  std::vector<const Tensors*> layers;
  for (const AdaptedModule& module : modules) layers.push_back(&module.tensors);
  return method->penalty(settings, layers);
}

Tensors first_numbers(const Method& method, const Settings& settings, const Site& site,
                      std::uint64_t seed, const std::function<Tensor()>& base,
                      torch::Device device) {
  return make_tensors(method.tensors(site, settings), seed, site.index, base, device);
}

Adapter make_adapter(model::Decoder& decoder, const AdapterOptions& options, std::uint64_t seed) {
  return make_adapter(decoder, *find_method(options.method), settings_of(options), seed);
}

Adapter make_adapter(model::Decoder& decoder, const Method& method, Settings settings,
                     std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  Adapter adapter;
  adapter.method = &method;
  adapter.settings = std::move(settings);
  adapter.base_rows = decoder.spec.vocab_size - decoder.spec.added_rows;
  adapter.base_fingerprint = fingerprint(decoder, adapter.base_rows);
  const std::vector<Site> all = sites_of(decoder);
  const std::vector<Site> modules = choose_sites(method, adapter.settings, all);
  std::vector<Site> sites = modules;
  for (Site& site : choose_expert_sites(method, adapter.settings, decoder))
    sites.push_back(std::move(site));
  check_patterns(adapter.settings, sites);
  const auto device = decoder.device();
  for (const Site& site : sites) {
    check_rank(method, adapter.settings, site);
    if (method.replaces_weight != nullptr) {
      replace_weight(adapter, decoder, site.name + ".weight",
                     site.name + "." + method.replaces_weight);
      continue;
    }
    const auto base = [&decoder, &site] { return weight_at(decoder, site); };
    adapter.modules.push_back(
        {site, first_numbers(method, adapter.settings, site, seed, base, device), {}});
  }
  take_over_directions(adapter, decoder, seed);
  if (method.shared != nullptr)
    adapter.shared =
        make_tensors(method.shared(sites, adapter.settings), seed, kSharedSite, {}, device);
  if (method.describe != nullptr) method.describe(decoder, adapter.settings);
  if (method.virtual_tensors != nullptr)
    adapter.virtual_tensors = make_tensors(method.virtual_tensors(decoder, adapter.settings), seed,
                                           kSharedSite, {}, device);
  add_saved_modules(adapter, decoder, all);
  add_biases(adapter, decoder);
  adapter.token_rows = token_rows_of(method, adapter.settings, decoder);
  if (!sites.empty()) adapter.settings.set("target_modules", name_targets(modules, all));
  return adapter;
}

}  // namespace hone::adapters
