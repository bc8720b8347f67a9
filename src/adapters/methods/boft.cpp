#include <ATen/ops/linalg_solve.h>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

std::int64_t block_size_of(const Site& site, const Settings& settings) {
  const auto size = settings.get<std::int64_t>("boft_block_size", 0);
  const auto count = settings.get<std::int64_t>("boft_block_num", 0);
  HONE_CHECK(DataError, (size == 0) != (count == 0),
             "{}: expected either `boft_block_size` or `boft_block_num`, and the other 0",
             settings.where());
  HONE_CHECK(ConfigError, site.in % (size + count) == 0,
             "{}: blocks of {} do not divide the {} inputs of {}", settings.where(), size + count,
             site.in, site.name);
  return size > 0 ? size : site.in / count;
}

constexpr const char* kFactors = "boft_n_butterfly_factor";

/// How many rotations follow one another. The last one mixes over 2^(factors − 1) blocks, so that
/// many have to go into the inputs.
std::int64_t factors_of(const Site& site, const Settings& settings, std::int64_t size) {
  const auto factors = settings.get<std::int64_t>(kFactors);
  HONE_CHECK(ConfigError, factors >= 1 && factors <= 32, "{}: `{}` is {}; expected 1 to 32",
             settings.where(), kFactors, factors);
  if (factors == 1) return factors;
  const std::int64_t widest = size << (factors - 1);
  HONE_CHECK(ConfigError, size % 2 == 0 && site.in % widest == 0,
             "{}: {} factors over blocks of {} need an even block size, and {} to divide the {} "
             "inputs of {}; take fewer factors or smaller blocks",
             settings.where(), factors, size, widest, site.in, site.name);
  return factors;
}

std::vector<TensorSpec> boft_tensors(const Site& site, const Settings& settings) {
  const std::int64_t size = block_size_of(site, settings);
  return {{"boft_R", {factors_of(site, settings, size), site.in / size, size, size}, zeros()},
          {"boft_s", {site.out, 1}, constant(1)}};
}

/// Cayley's rotation of each block's skew-symmetric part.
Tensor rotations(const Tensor& raw) {
  const Tensor q = 0.5 * (raw - raw.transpose(-2, -1));
  const Tensor identity = torch::eye(q.size(-1), q.options()).expand_as(q);
  return at::linalg_solve(identity + q, identity - q, /*left=*/false);
}

/// Half-blocks of `half` numbers in another order: within each group of outer · inner of them, that
/// of place o · inner + i goes to place i · outer + o.
Tensor exchange(const Tensor& x, std::int64_t outer, std::int64_t inner, std::int64_t half) {
  return x.view({x.size(0), -1, outer, inner, half}).transpose(2, 3).reshape(x.sizes());
}

/// x times one factor: at each level a block turns two half-blocks that are 2^level apart.
/// @param blocks [count, size, size]
Tensor rotate_level(const Tensor& x, const Tensor& blocks, std::int64_t level) {
  const std::int64_t span = std::int64_t{1} << level, half = blocks.size(1) / 2;
  const Tensor gathered = level == 0 ? x : exchange(x, 2, span, half);
  const Tensor rotated = gathered.view({x.size(0), blocks.size(0), blocks.size(1)})
                             .transpose(0, 1)
                             .bmm(blocks)
                             .transpose(0, 1)
                             .reshape(x.sizes());
  return level == 0 ? rotated : exchange(rotated, span, 2, half);
}

std::shared_ptr<const model::LinearAdapter> boft_linear(const Place& place) {
  const Tensor raw = place.own.at("boft_R"), scale = place.own.at("boft_s");
  const auto rotate = [raw](const Tensor& x) {
    const Tensor blocks = rotations(raw);  // [factors, count, size, size]
    Tensor rotated = x;
    for (std::int64_t level = blocks.size(0) - 1; level >= 0; --level)
      rotated = rotate_level(rotated, blocks[level], level);
    return rotated;
  };
  return rotation_adapter({rotate, scale.flatten()});
}

/// Where its CUDA extension is not built, PEFT trains one factor whatever the config says, and its
/// folders then hold one: the file is what counts.
void take_stored_factors(const StoredShape& shape_of, const std::vector<Site>& sites,
                         Settings& settings) {
  for (const Site& site : sites)
    if (const auto shape = shape_of(site.name + ".boft_R"); shape.size() == 4)
      settings.set(kFactors, shape[0]);
}

}  // namespace

/// @source arXiv:2311.06243, section 4, as PEFT's BOFTLayer multiplies the factors
Method boft_method() {
  Method method;
  method.name = "boft";
  method.peft_type = "BOFT";
  method.help = "rotations of the inputs and a factor for each output (arXiv:2311.06243).";
  method.keys = target_keys() + std::vector<ConfigKey>{option("boft_block_size", 4),
                                                       free_key("boft_block_num", 0),
                                                       option(kFactors, 1),
                                                       training_key("boft_dropout", 0.0),
                                                       free_key("init_weights", true),
                                                       free_key("bias", "none"),
                                                       fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = boft_tensors;
  method.linear = boft_linear;
  method.complete_from_file = take_stored_factors;
  return method;
}

}  // namespace hone::adapters
