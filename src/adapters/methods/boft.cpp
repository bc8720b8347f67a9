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

std::vector<TensorSpec> boft_tensors(const Site& site, const Settings& settings) {
  const std::int64_t size = block_size_of(site, settings);
  return {{"boft_R", {1, site.in / size, size, size}, zeros()},
          {"boft_s", {site.out, 1}, constant(1)}};
}

std::shared_ptr<const model::LinearAdapter> boft_linear(const Place& place) {
  const Tensor blocks = place.own.at("boft_R"), scale = place.own.at("boft_s");
  const auto rotate = [blocks](const Tensor& x) {
    const Tensor raw = blocks[0];  // [count, size, size]
    const Tensor q = 0.5 * (raw - raw.transpose(1, 2));
    const Tensor identity = torch::eye(q.size(1), q.options()).expand_as(q);
    const Tensor r = at::linalg_solve(identity + q, identity - q, /*left=*/false);
    return x.view({x.size(0), r.size(0), r.size(1)})
        .transpose(0, 1)
        .bmm(r)
        .transpose(0, 1)
        .reshape(x.sizes());
  };
  return rotation_adapter({rotate, scale.flatten()});
}

}  // namespace

/// One factor of the butterfly: PEFT itself falls back to that wherever its CUDA extension is not
/// built, and its folders then hold one, whatever boft_n_butterfly_factor says.
/// @source arXiv:2311.06243
Method boft_method() {
  Method method;
  method.name = "boft";
  method.peft_type = "BOFT";
  method.help = "rotations of the inputs and a factor for each output (arXiv:2311.06243).";
  method.keys =
      target_keys() + std::vector<ConfigKey>{
                          option("boft_block_size", 4),           free_key("boft_block_num", 0),
                          free_key("boft_n_butterfly_factor", 1), training_key("boft_dropout", 0.0),
                          free_key("init_weights", true),         free_key("bias", "none"),
                          fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = boft_tensors;
  method.linear = boft_linear;
  return method;
}

}  // namespace hone::adapters
