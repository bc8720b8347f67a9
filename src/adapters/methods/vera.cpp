#include <cmath>

#include <ATen/CPUGeneratorImpl.h>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

/// Uniform in ±√(6 / in), drawn as PEFT draws the shared matrices: from torch's own generator, A
/// first, so that an adapter that was saved without them gets the very same ones.
Start shared_random(std::uint64_t key, std::int64_t skipped) {
  return [key, skipped](const StartContext& context) {
    at::Generator generator = at::detail::createCPUGenerator(key);
    const Tensor before = torch::empty({skipped}, torch::kFloat32);
    before.uniform_(0, 1, generator);
    const double bound = std::sqrt(6.0 / double(context.shape.at(1)));
    return torch::empty(context.shape, torch::kFloat32).uniform_(-bound, bound, generator);
  };
}

/// A [r, largest in] and B [largest out, r], random and frozen.
std::vector<TensorSpec> vera_shared(const std::vector<Site>& sites, const Settings& settings) {
  const auto r = settings.get<std::int64_t>("r");
  const auto key = settings.get<std::uint64_t>("projection_prng_key");
  std::int64_t in = 0, out = 0;
  for (const Site& site : sites) {
    in = std::max(in, site.in);
    out = std::max(out, site.out);
  }
  return {{"vera_A", {r, in}, shared_random(key, 0), /*is_trained=*/false},
          {"vera_B", {out, r}, shared_random(key, r * in), /*is_trained=*/false}};
}

std::vector<TensorSpec> vera_tensors(const Site& site, const Settings& settings) {
  return {{"vera_lambda_d",
           {settings.get<std::int64_t>("r")},
           constant(settings.get<double>("d_initial"))},
          {"vera_lambda_b", {site.out}, zeros()}};
}

std::shared_ptr<const model::LinearAdapter> vera_linear(const Place& place) {
  const Tensor a = place.shared.at("vera_A").narrow(1, 0, place.site.in).contiguous();
  const Tensor b = place.shared.at("vera_B").narrow(0, 0, place.site.out).contiguous();
  const Tensor d = place.own.at("vera_lambda_d"), scale = place.own.at("vera_lambda_b");
  return low_rank_adapter(
      [=] {
        return Factors{a * d.unsqueeze(1), b * scale.unsqueeze(1), {}};
      },
      1, place.dropping);
}

}  // namespace

/// @source arXiv:2310.11454, eq. 2
Method vera_method() {
  Method method;
  method.name = "vera";
  method.peft_type = "VERA";
  method.help = "two vectors a layer on shared random matrices (arXiv:2310.11454).";
  method.keys = {option("target_modules", nullptr),
                 option("modules_to_save", nullptr),
                 option("layers_to_transform", nullptr),
                 option("layers_pattern", nullptr),
                 option("r", 256),
                 option("vera_dropout", 0.0, "lora_dropout"),
                 option("d_initial", 0.1),
                 option("projection_prng_key", 0),
                 free_key("save_projection", true),
                 free_key("init_weights", true),
                 free_key("bias", "none"),
                 fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = vera_tensors;
  method.shared = vera_shared;
  method.linear = vera_linear;
  return method;
}

}  // namespace hone::adapters
