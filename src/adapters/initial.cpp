#include "adapters/initial.h"

#include <ATen/ops/linalg_qr.h>

#include <charconv>
#include <cmath>

#include "adapters/leading_svd.h"
#include "adapters/methods/keys.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

constexpr const char* kKey = "init_lora_weights";
constexpr std::string_view kRounds = "pissa_niter_";

Directions olora(const Tensor& weight, std::int64_t r) {
  const auto [q, upper] = at::linalg_qr(weight);
  return {upper.narrow(0, 0, r).contiguous(), q.narrow(1, 0, r).contiguous()};
}

/// @return the number behind pissa_niter_; −1 where there is none
int rounds_of(const std::string& start) {
  int rounds = -1;
  if (!start.starts_with(kRounds)) return rounds;
  const char* end = start.data() + start.size();
  const auto [last, error] = std::from_chars(start.data() + kRounds.size(), end, rounds);
  return error == std::errc() && last == end ? rounds : -1;
}

/// @return the initialisation's name where it takes directions over, else ""
std::string taking_over(const Settings& settings) {
  const json value = settings.values().value(kKey, json(true));
  if (!value.is_string()) return "";
  const auto name = value.get<std::string>();
  // Of these only the first numbers differ, which training has long left behind.
  for (const char* plain : {"gaussian", "eva", "loftq", "orthogonal"})
    if (name == plain) return "";
  HONE_CHECK(ConfigError, is_taken_from_base(name),
             "{}: {}: hone does not know `{}`; expected default, gaussian, eva, loftq, pissa, "
             "pissa_niter_N or olora",
             settings.where(), kKey, name);
  return name;
}

Directions directions_of(const std::string& name, const Tensor& weight, std::int64_t r,
                         double scaling, std::uint64_t seed, const Site& site) {
  if (name == "olora") return olora(weight, r);
  if (name == "pissa") return balanced(exact_svd(weight), r, scaling);
  const Tensor start = normal(1)({{weight.size(1), r}, seed, site.index, {}});
  return balanced(leading_svd(weight, start, rounds_of(name)), r, scaling);
}

}  // namespace

bool is_taken_from_base(const std::string& name) {
  return name == "pissa" || name == "olora" || rounds_of(name) >= 0;
}

void take_over_directions(Adapter& adapter, model::Decoder& decoder, std::uint64_t seed) {
  const std::string name = taking_over(adapter.settings);
  if (name.empty() || decoder.device().is_meta()) return;
  for (AdaptedModule& module : adapter.modules) {
    HONE_CHECK(ConfigError, module.site.kind != SiteKind::kEmbedding,
               "{}: {}: {} cannot begin {}; leave it out of target_modules",
               adapter.settings.where(), kKey, name, module.site.name);
    const Tensor weight = weight_at(decoder, module.site);
    const double scaling = lora_scaling(module.site, adapter.settings);
    const Directions taken = directions_of(
        name, weight, rank_of(adapter.settings, module.site.name), scaling, seed, module.site);
    module.tensors["lora_A.weight"] = taken.a.contiguous();
    module.tensors["lora_B.weight"] = taken.b.contiguous();
    module.taken_over = {{"lora_A.weight", taken.a.clone()}, {"lora_B.weight", taken.b.clone()}};
    const std::string slot = module.site.name + ".weight";
    const Tensor rest = weight - taken.b.mm(taken.a) * scaling;
    adapter.replaced.push_back(
        {slot, "", rest.to(find_weight(decoder, slot)->scalar_type()), false, {}});
  }
}

Adapter as_plain_lora(const Adapter& adapter) {
  const torch::NoGradGuard no_grad;
  Adapter plain = adapter;
  for (AdaptedModule& module : plain.modules) {
    Tensor &a = module.tensors.at("lora_A.weight"), &b = module.tensors.at("lora_B.weight");
    a = torch::cat({a, module.taken_over.at("lora_A.weight")}, 0);
    b = torch::cat({b, -module.taken_over.at("lora_B.weight")}, 1);
    module.taken_over.clear();
  }
  // Twice the rank under the same scaling: alpha/r, or alpha/√r.
  const double alpha_factor = adapter.settings.get("use_rslora", false) ? std::sqrt(2.0) : 2.0;
  const auto scale = [&plain](const char* key, double factor) {
    json value = plain.settings.values().at(key);
    const auto times = [factor](const json& number) {
      const double scaled = number.get<double>() * factor;
      return scaled == std::floor(scaled) ? json(static_cast<std::int64_t>(scaled)) : json(scaled);
    };
    if (value.is_number()) value = times(value);
    if (value.is_object())
      for (auto& [pattern, number] : value.items()) number = times(number);
    plain.settings.set(key, value);
  };
  scale("r", 2);
  scale("rank_pattern", 2);
  scale("lora_alpha", alpha_factor);
  scale("alpha_pattern", alpha_factor);
  plain.settings.set(kKey, true);
  std::erase_if(plain.replaced, [](const Replacement& one) { return one.file_name.empty(); });
  return plain;
}

}  // namespace hone::adapters
