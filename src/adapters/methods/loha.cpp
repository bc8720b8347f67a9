#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

std::vector<TensorSpec> loha_tensors(const Site& site, const Settings& settings) {
  const std::int64_t r = rank_of(settings, site.name);
  return {{"hada_w1_a", {site.out, r}, kaiming_uniform()},
          {"hada_w1_b", {r, site.in}, kaiming_uniform()},
          {"hada_w2_a", {site.out, r}, kaiming_uniform()},
          {"hada_w2_b", {r, site.in}, zeros()}};
}

std::shared_ptr<const model::LinearAdapter> loha_linear(const Place& place) {
  const double scaling = alpha_of(place.settings, place.site.name, "alpha") /
                         double(rank_of(place.settings, place.site.name));
  const Tensors own = place.own;
  return delta_adapter([own, scaling] {
    return own.at("hada_w1_a").mm(own.at("hada_w1_b")) *
           own.at("hada_w2_a").mm(own.at("hada_w2_b")) * scaling;
  });
}

}  // namespace

/// @source arXiv:2108.06098, as PEFT's LoHaLayer
Method loha_method() {
  Method method;
  method.name = "loha";
  method.peft_type = "LOHA";
  method.help = "the elementwise product of two low-rank updates (arXiv:2108.06098).";
  method.keys = lycoris_keys();
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = loha_tensors;
  method.linear = loha_linear;
  return method;
}

}  // namespace hone::adapters
