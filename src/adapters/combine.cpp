#include "adapters/combine.h"

#include <ATen/ops/linalg_svd.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "adapters/experts.h"
#include "adapters/methods/keys.h"
#include "adapters/targets.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

/// The adapters' tensors of one kind, one each, and their weights.
struct Tasks {
  std::vector<Tensor> tensors;
  std::vector<double> weights;
};

/// Keeps the largest numbers by magnitude, `density` of them.
Tensor prune_small(const Tensor& tensor, double density) {
  const auto kept = static_cast<std::int64_t>(density * double(tensor.numel()));
  const Tensor flat = tensor.flatten();
  const Tensor places = std::get<1>(flat.abs().topk(kept));
  return torch::zeros_like(flat)
      .index_copy(0, places, flat.index_select(0, places))
      .view_as(tensor);
}

/// Keeps each number with probability `density`, and makes up for the others.
Tensor prune_randomly(const Tensor& tensor, double density, std::uint64_t seed,
                      std::uint64_t stream) {
  const Tensor draw = uniform(1)({tensor.sizes().vec(), seed, stream, {}}).abs();
  return tensor * (draw.to(tensor.device()) < density).to(tensor.scalar_type()) / density;
}

Tensor weighted_sum(const Tasks& tasks) {
  Tensor sum = torch::zeros_like(tasks.tensors.front());
  for (std::size_t i = 0; i < tasks.tensors.size(); ++i)
    sum = sum + tasks.tensors[i] * tasks.weights[i];
  return sum;
}

/// The mean of those numbers whose sign is the majority's.
Tensor elect_and_merge(const Tasks& tasks, const std::string& method) {
  const Tensor all = torch::stack(tasks.tensors);
  const Tensor votes = method == "total" ? all.sum(0) : all.sign().sum(0);
  const Tensor majority = torch::where(votes >= 0, 1.0, -1.0);
  const Tensor agrees = (all.sign() == majority).to(all.scalar_type());
  Tensor sum = torch::zeros_like(tasks.tensors.front());
  for (std::size_t i = 0; i < tasks.tensors.size(); ++i)
    sum = sum + all[std::int64_t(i)] * tasks.weights[i] * agrees[std::int64_t(i)];
  return sum / agrees.sum(0).clamp_min(1);
}

/// @param type without `_svd`
Tensor merge_tasks(Tasks tasks, std::string_view type, const Combination& how,
                   std::uint64_t stream) {
  if (how.density < 1)
    for (std::size_t i = 0; i < tasks.tensors.size(); ++i) {
      if (type == "ties" || type == "magnitude_prune")
        tasks.tensors[i] = prune_small(tasks.tensors[i], how.density);
      if (type.starts_with("dare"))
        tasks.tensors[i] =
            prune_randomly(tasks.tensors[i], how.density, how.seed, stream + (i << 24));
    }
  const bool elects = type == "ties" || type == "dare_ties";
  return elects ? elect_and_merge(tasks, how.majority_sign_method) : weighted_sum(tasks);
}

struct Pair {
  Tensor a, b;  ///< of the file's shapes
  double scaling;
};

/// What the adapters have for one module; the embedding's factors stand as a linear's.
std::vector<std::optional<Pair>> pairs_of(const std::vector<Adapter>& adapters, const Site& site) {
  std::vector<std::optional<Pair>> pairs;
  for (const Adapter& adapter : adapters) {
    pairs.emplace_back();
    for (const AdaptedModule& module : adapter.modules) {
      if (module.site.name != site.name) continue;
      const bool embedding = site.kind == SiteKind::kEmbedding;
      pairs.back() = Pair{module.tensors.at(embedding ? "lora_embedding_A" : "lora_A.weight"),
                          module.tensors.at(embedding ? "lora_embedding_B" : "lora_B.weight"),
                          lora_scaling(site, adapter.settings)};
    }
  }
  return pairs;
}

struct Factored {
  Tensor a, b;
};

/// Rows and columns of zeros up to the rank: it is the same for all modules of an adapter.
Factored padded(const Tensor& a, const Tensor& b, std::int64_t rank) {
  const std::int64_t left = rank - a.size(0);
  return {torch::cat({a, torch::zeros({left, a.size(1)}, a.options())}, 0),
          torch::cat({b, torch::zeros({b.size(0), left}, b.options())}, 1)};
}

Factored concatenate(const std::vector<std::optional<Pair>>& pairs, const Combination& how,
                     std::int64_t rank) {
  std::vector<Tensor> a, b;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i]) continue;
    a.push_back(pairs[i]->a * (how.weights[i] * pairs[i]->scaling));
    b.push_back(pairs[i]->b);
  }
  return padded(torch::cat(a, 0), torch::cat(b, 1), rank);
}

Factored by_svd(const std::vector<std::optional<Pair>>& pairs, const Combination& how,
                std::string_view type, std::int64_t rank, std::uint64_t stream) {
  Tasks tasks;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i]) continue;
    tasks.tensors.push_back(pairs[i]->b.mm(pairs[i]->a) * pairs[i]->scaling);
    tasks.weights.push_back(how.weights[i]);
  }
  const auto [u, s, vh] = at::linalg_svd(merge_tasks(std::move(tasks), type, how, stream), false);
  const std::int64_t kept = std::min(rank, s.size(0));
  return padded(vh.narrow(0, 0, kept), u.narrow(1, 0, kept) * s.narrow(0, 0, kept), rank);
}

Factored by_factors(const std::vector<std::optional<Pair>>& pairs, const Combination& how,
                    std::uint64_t stream) {
  Tasks a, b;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i]) continue;
    const double weight = how.weights[i] * pairs[i]->scaling;
    a.tensors.push_back(pairs[i]->a);
    b.tensors.push_back(pairs[i]->b);
    a.weights.push_back(std::copysign(std::sqrt(std::abs(weight)), weight));
    b.weights.push_back(std::sqrt(std::abs(weight)));
  }
  return {merge_tasks(std::move(a), how.type, how, stream),
          merge_tasks(std::move(b), how.type, how, stream + (1u << 23))};
}

void check(const std::vector<Adapter>& adapters, const Combination& how) {
  const auto& types = combination_types();
  HONE_CHECK(ConfigError, std::find(types.begin(), types.end(), how.type) != types.end(),
             "there is no combination `{}`; expected one of {}", how.type, fmt::join(types, ", "));
  HONE_CHECK(ConfigError, how.weights.size() == adapters.size(),
             "{} weights for {} adapters; expected one each", how.weights.size(), adapters.size());
  HONE_CHECK(ConfigError, how.density > 0 && how.density <= 1,
             "the density is {}; expected above 0 and at most 1", how.density);
  for (const Adapter& adapter : adapters) {
    const bool plain = adapter.method->peft_type == std::string("LORA") &&
                       !adapter.settings.get("use_dora", false) &&
                       !adapter.settings.get("lora_bias", false) && adapter.replaced.empty() &&
                       adapter.token_rows.empty() && !adapter.settings.says(kTargetParameters);
    HONE_CHECK(ConfigError, plain,
               "{}: only plain LoRA adapters can be combined: no other method, no DoRA, biases, "
               "trained tokens, modules_to_save or target_parameters",
               adapter.settings.where());
  }
}

/// The rank of the result, for settings: that of the modules where they are alike.
std::int64_t rank_of_result(const std::vector<Adapter>& adapters, const Combination& how) {
  std::int64_t sum = 0, largest = 0;
  for (const Adapter& adapter : adapters) {
    const auto r = adapter.settings.get<std::int64_t>("r");
    HONE_CHECK(ConfigError, !adapter.settings.says("rank_pattern"),
               "{}: adapters with a rank_pattern cannot be combined", adapter.settings.where());
    sum += r;
    largest = std::max(largest, r);
  }
  if (how.type == "cat") return sum;
  if (how.type.ends_with("svd")) return how.svd_rank > 0 ? how.svd_rank : largest;
  for (const Adapter& adapter : adapters)
    HONE_CHECK(ConfigError, adapter.settings.get<std::int64_t>("r") == largest,
               "{}: {} adds factors up, so all adapters have one rank, here {} and {}; cat, svd "
               "and the others with _svd take different ones",
               adapter.settings.where(), how.type, adapter.settings.get<std::int64_t>("r"),
               largest);
  return largest;
}

}  // namespace

const std::vector<std::string>& combination_types() {
  static const std::vector<std::string> types = {"linear",
                                                 "cat",
                                                 "svd",
                                                 "ties",
                                                 "ties_svd",
                                                 "dare_linear",
                                                 "dare_ties",
                                                 "dare_linear_svd",
                                                 "dare_ties_svd",
                                                 "magnitude_prune",
                                                 "magnitude_prune_svd"};
  return types;
}

Adapter combine(const std::vector<Adapter>& adapters, const Combination& how) {
  check(adapters, how);
  const torch::NoGradGuard no_grad;
  const std::int64_t rank = rank_of_result(adapters, how);
  Adapter result = adapters.front();
  result.modules.clear();
  std::vector<std::string> targets;
  for (const Adapter& adapter : adapters) {
    for (const AdaptedModule& module : adapter.modules) {
      const Site& site = module.site;
      if (std::find(targets.begin(), targets.end(), site.name) != targets.end()) continue;
      targets.push_back(site.name);
      const auto pairs = pairs_of(adapters, site);
      const std::string_view type(how.type);
      const std::string_view inner = type == "svd"            ? "linear"
                                     : type.ends_with("_svd") ? type.substr(0, type.size() - 4)
                                                              : type;
      const Factored made = how.type == "cat"       ? concatenate(pairs, how, rank)
                            : type.ends_with("svd") ? by_svd(pairs, how, inner, rank, site.index)
                                                    : by_factors(pairs, how, site.index);
      const bool embedding = site.kind == SiteKind::kEmbedding;
      result.modules.push_back({site,
                                {{embedding ? "lora_embedding_A" : "lora_A.weight", made.a},
                                 {embedding ? "lora_embedding_B" : "lora_B.weight", made.b}},
                                {}});
    }
  }
  result.settings.set("target_modules", targets);
  for (const char* key : {"r", "lora_alpha"}) result.settings.set(key, rank);
  for (const char* key : {"rank_pattern", "alpha_pattern"})
    result.settings.set(key, nlohmann::json::object());
  result.settings.set("use_rslora", false);
  return result;
}

}  // namespace hone::adapters
