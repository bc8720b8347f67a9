#include <ATen/ops/kron.h>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

/// Two factors m ≤ n of a size, m near `factor` but not above it, or near the square root for −1.
/// @source PEFT, lokr/layer.py, factorization
std::pair<std::int64_t, std::int64_t> factorize(std::int64_t size, std::int64_t factor) {
  if (factor > 0 && size % factor == 0) return {factor, size / factor};
  if (factor < 0) factor = size;
  std::int64_t m = 1, n = size;
  while (m < n) {
    std::int64_t next = m + 1;
    while (size % next != 0) ++next;
    if (next + size / next > 1 + size || next > factor || next > size / next) break;
    m = next;
    n = size / next;
  }
  return {std::min(m, n), std::max(m, n)};
}

std::vector<TensorSpec> lokr_tensors(const Site& site, const Settings& settings) {
  const std::int64_t r = rank_of(settings, site.name);
  const auto factor = settings.get<std::int64_t>("decompose_factor");
  const auto [out_1, out_2] = factorize(site.out, factor);
  const auto [in_1, in_2] = factorize(site.in, factor);
  std::vector<TensorSpec> specs;
  if (settings.get<bool>("decompose_both") && r < double(std::max(out_1, in_1)) / 2) {
    specs.push_back({"lokr_w1_a", {out_1, r}, zeros()});
    specs.push_back({"lokr_w1_b", {r, in_1}, kaiming_uniform()});
  } else {
    specs.push_back({"lokr_w1", {out_1, in_1}, zeros()});
  }
  if (r < double(std::max(out_2, in_2)) / 2) {
    specs.push_back({"lokr_w2_a", {out_2, r}, kaiming_uniform()});
    specs.push_back({"lokr_w2_b", {r, in_2}, kaiming_uniform()});
  } else {
    specs.push_back({"lokr_w2", {out_2, in_2}, kaiming_uniform()});
  }
  return specs;
}

/// A factor, whole or as a product of its own.
Tensor factor_of(const Tensors& own, const std::string& name) {
  const auto whole = own.find(name);
  return whole != own.end() ? whole->second : own.at(name + "_a").mm(own.at(name + "_b"));
}

std::shared_ptr<const model::LinearAdapter> lokr_linear(const Place& place) {
  const double scaling = alpha_of(place.settings, place.site.name, "alpha") /
                         double(rank_of(place.settings, place.site.name));
  const Tensors own = place.own;
  return delta_adapter([own, scaling] {
    return at::kron(factor_of(own, "lokr_w1"), factor_of(own, "lokr_w2")) * scaling;
  });
}

}  // namespace

/// @source arXiv:2309.14859, section 3.3, as PEFT's LoKrLayer
Method lokr_method() {
  Method method;
  method.name = "lokr";
  method.peft_type = "LOKR";
  method.help = "a Kronecker product of small matrices (arXiv:2309.14859).";
  method.keys = lycoris_keys() + std::vector<ConfigKey>{option("decompose_both", false),
                                                        option("decompose_factor", -1),
                                                        free_key("rank_dropout_scale", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = lokr_tensors;
  method.linear = lokr_linear;
  return method;
}

}  // namespace hone::adapters
