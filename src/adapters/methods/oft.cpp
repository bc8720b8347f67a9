#include <ATen/ops/linalg_solve.h>

#include <cmath>
#include <numbers>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

struct Blocks {
  std::int64_t count, size;
};

/// Blocks of `oft_block_size`, or `r` of them; where it does not divide the input, the nearest size
/// that does, the smaller of two as near.
/// @source PEFT, oft/layer.py, adjust_oft_parameters
Blocks blocks_of(const Site& site, const Settings& settings) {
  const auto r = settings.get<std::int64_t>("r", 0);
  const auto size = settings.get<std::int64_t>("oft_block_size", 0);
  HONE_CHECK(DataError, (r == 0) != (size == 0),
             "{}: expected either `r` or `oft_block_size`, and the other 0", settings.where());
  const std::int64_t wanted = r > 0 ? r : size;
  std::int64_t below = std::min(wanted, site.in), above = below;
  while (site.in % below != 0) --below;
  while (above <= site.in && site.in % above != 0) ++above;
  const std::int64_t fitting = wanted - below <= above - wanted || above > site.in ? below : above;
  return r > 0 ? Blocks{fitting, site.in / fitting} : Blocks{site.in / fitting, fitting};
}

std::vector<TensorSpec> oft_tensors(const Site& site, const Settings& settings) {
  const Blocks blocks = blocks_of(site, settings);
  const std::int64_t rows = settings.get("block_share", false) ? 1 : blocks.count;
  return {{"oft_R.weight", {rows, blocks.size * (blocks.size - 1) / 2}, zeros()}};
}

/// Skew-symmetric matrices of what stands above their diagonals. @return [blocks, size, size]
Tensor skew(const Tensor& vectors, std::int64_t size) {
  const Tensor places = torch::triu_indices(size, size, 1).to(vectors.device());
  const Tensor flat = places[0] * size + places[1];
  const Tensor upper = torch::zeros({vectors.size(0), size * size}, vectors.options())
                           .index_copy(1, flat, vectors)
                           .view({-1, size, size});
  return upper - upper.transpose(1, 2);
}

/// (I + Q)⁻¹ (I − Q) from the right: Cayley's rotation.
Tensor cayley(const Tensor& q) {
  const Tensor identity = torch::eye(q.size(1), q.options()).expand_as(q);
  return at::linalg_solve(identity + q, identity - q, /*left=*/false);
}

/// Its Neumann series: I + 2Q + 2Q² + … + Qⁿ⁻¹.
Tensor cayley_series(const Tensor& q, std::int64_t terms) {
  Tensor sum = torch::eye(q.size(1), q.options()).expand_as(q);
  if (terms <= 1) return sum;
  sum = sum + 2 * q;
  if (terms == 2) return sum;
  Tensor power = q.bmm(q);
  sum = sum + 2 * power;
  for (std::int64_t term = 3; term < terms - 1; ++term) {
    power = power.bmm(q);
    sum = sum + 2 * power;
  }
  return sum + power.bmm(q);
}

/// COFT: puts every block whose matrix is longer than eps / √blocks back to that length, in the
/// trained tensor itself, as PEFT does before it uses it. What is over by rounding alone stays as
/// it is, so that doing it again changes no bit: a run that is resumed has seen other passes.
void constrain(const Tensor& vectors, double eps) {
  const torch::NoGradGuard no_grad;
  constexpr double kRounding = 1e-6;
  const double limit = eps / std::sqrt(double(vectors.size(0)));
  // A skew-symmetric matrix has each number twice.
  const Tensor norms = vectors.norm(2, 1, /*keepdim=*/true) * std::numbers::sqrt2;
  const Tensor is_outside = norms > limit * (1 + kRounding);
  if (is_outside.any().item<bool>())
    vectors.copy_(torch::where(is_outside, vectors * (limit / norms), vectors));
}

std::shared_ptr<const model::LinearAdapter> oft_linear(const Place& place) {
  const Blocks blocks = blocks_of(place.site, place.settings);
  const Tensor vectors = place.own.at("oft_R.weight");
  const auto terms = place.settings.get("num_cayley_neumann_terms", std::int64_t{5});
  const bool series = place.settings.get("use_cayley_neumann", true);
  const bool is_constrained = place.settings.get("coft", false);
  const double eps = place.settings.get("eps", 6e-5);
  const auto rotate = [=](const Tensor& x) {
    if (is_constrained) constrain(vectors, eps);
    const Tensor q = skew(vectors, blocks.size);
    const Tensor r = (series ? cayley_series(q, terms) : cayley(q))
                         .expand({blocks.count, blocks.size, blocks.size});
    return x.view({x.size(0), blocks.count, blocks.size})
        .transpose(0, 1)
        .bmm(r)
        .transpose(0, 1)
        .reshape(x.sizes());
  };
  return rotation_adapter({rotate, {}});
}

}  // namespace

/// @source arXiv:2306.07280, section 3; the series: arXiv:2506.19847
Method oft_method() {
  Method method;
  method.name = "oft";
  method.peft_type = "OFT";
  method.help = "rotations of the inputs in blocks (arXiv:2306.07280).";
  method.keys = target_keys() + std::vector<ConfigKey>{free_key("r", 0),
                                                       option("oft_block_size", 32),
                                                       option("use_cayley_neumann", true),
                                                       free_key("num_cayley_neumann_terms", 5),
                                                       option("block_share", false),
                                                       training_key("module_dropout", 0.0),
                                                       option("coft", false),
                                                       option("eps", 6e-5),
                                                       free_key("init_weights", true),
                                                       free_key("bias", "none"),
                                                       fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = oft_tensors;
  method.linear = oft_linear;
  return method;
}

}  // namespace hone::adapters
