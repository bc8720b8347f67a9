#include <ATen/ops/softmax.h>

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

std::vector<TensorSpec> vblora_shared(const std::vector<Site>&, const Settings& settings) {
  return {{"vblora_vector_bank",
           {settings.get<std::int64_t>("num_vectors"), settings.get<std::int64_t>("vector_length")},
           uniform(settings.get<double>("init_vector_bank_bound"))}};
}

std::vector<TensorSpec> vblora_tensors(const Site& site, const Settings& settings) {
  const auto r = settings.get<std::int64_t>("r");
  const auto length = settings.get<std::int64_t>("vector_length");
  const auto vectors = settings.get<std::int64_t>("num_vectors");
  HONE_CHECK(ConfigError, site.in % length == 0 && site.out % length == 0,
             "adapter.vector_length: {} does not divide the sizes of {}, {} to {}", length,
             site.name, site.in, site.out);
  const Start start = normal(settings.get<double>("init_logits_std"));
  return {{"vblora_logits_A", {r, site.in / length, vectors}, start},
          {"vblora_logits_B", {site.out / length, r, vectors}, start}};
}

/// Each part is a mixture of the bank's likeliest vectors. @return [p, q, length]
Tensor mix(const Tensor& logits_pqV, const Tensor& bank, std::int64_t topk) {
  const auto [values, indices] = logits_pqV.topk(topk, -1);
  const Tensor chosen = bank.index_select(0, indices.flatten());
  return (at::softmax(values, -1).unsqueeze(-1) *
          chosen.view({logits_pqV.size(0), logits_pqV.size(1), topk, bank.size(1)}))
      .sum(-2);
}

std::shared_ptr<const model::LinearAdapter> vblora_linear(const Place& place) {
  const Tensor bank = place.shared.at("vblora_vector_bank");
  const Tensor of_a = place.own.at("vblora_logits_A"), of_b = place.own.at("vblora_logits_B");
  const auto topk = place.settings.get<std::int64_t>("topk");
  const auto factors = [=] {
    const Tensor a = mix(of_a, bank, topk).flatten(1);                     // [r, in]
    const Tensor b = mix(of_b, bank, topk).transpose(1, 2).flatten(0, 1);  // [out, r]
    return Factors{a, b, {}};
  };
  return low_rank_adapter(factors, 1, place.dropping);
}

}  // namespace

/// @source arXiv:2405.15179, section 3
Method vblora_method() {
  Method method;
  method.name = "vblora";
  method.peft_type = "VBLORA";
  method.help = "low-rank updates put together from one bank of vectors (arXiv:2405.15179).";
  method.keys =
      target_keys() + std::vector<ConfigKey>{option("r", 4),
                                             option("num_vectors", 256),
                                             option("vector_length", 256),
                                             option("topk", 2),
                                             option("vblora_dropout", 0.0, "lora_dropout"),
                                             fixed("save_only_topk_weights", false),
                                             free_key("init_vector_bank_bound", 0.02),
                                             free_key("init_logits_std", 0.1),
                                             free_key("bias", "none"),
                                             fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = vblora_tensors;
  method.shared = vblora_shared;
  method.linear = vblora_linear;
  return method;
}

}  // namespace hone::adapters
