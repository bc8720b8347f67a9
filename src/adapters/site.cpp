#include "adapters/site.h"

#include <map>

#include "base/error.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

constexpr std::string_view kWeight = ".weight";
/// Numbers of sites that are no layer of their own: far above those of the linear layers.
constexpr std::uint32_t kOtherSites = 1u << 22;

}  // namespace

std::vector<Site> sites_of(model::Decoder& decoder) {
  std::vector<Site> sites;
  std::map<std::string, std::uint32_t> linear_index;
  model::for_each_linear(decoder, [&](const model::Linear& linear) {
    linear_index.emplace(linear.name, static_cast<std::uint32_t>(linear_index.size()));
  });
  std::uint32_t others = kOtherSites;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    if (!slot.name.ends_with(kWeight)) continue;
    Site site;
    site.name = slot.name.substr(0, slot.name.size() - kWeight.size());
    site.out = slot.shape[0];
    site.in = slot.shape.size() > 1 ? slot.shape[1] : 1;
    const auto linear = linear_index.find(site.name);
    site.index = linear != linear_index.end() ? linear->second : others++;
    site.kind = linear != linear_index.end()                     ? SiteKind::kLinear
                : site.name == "model.embed_tokens"              ? SiteKind::kEmbedding
                : site.name == "lm_head" || site.name == "score" ? SiteKind::kHead
                : slot.shape.size() == 1                         ? SiteKind::kNorm
                                                                 : SiteKind::kRouter;
    sites.push_back(std::move(site));
  }
  const model::Spec& spec = decoder.spec;
  if (spec.num_labels == 0 && spec.tie_word_embeddings)
    sites.push_back({"lm_head", SiteKind::kHead, spec.vocab_size, spec.hidden_size, others});
  return sites;
}

model::Linear& linear_at(model::Decoder& decoder, const Site& site) {
  model::Linear* found = nullptr;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (linear.name == site.name) found = &linear;
  });
  HONE_ASSERT(found != nullptr, "{} is no linear layer", site.name);
  return *found;
}

Tensor base_weight(const model::Linear& linear, torch::Dtype dtype) {
  return model::dense_weight(linear, dtype);
}

Tensor weight_at(model::Decoder& decoder, const Site& site) {
  if (site.kind == SiteKind::kLinear) return base_weight(linear_at(decoder, site), torch::kFloat32);
  const Tensor* weight = find_weight(decoder, site.name + ".weight");
  HONE_ASSERT(weight != nullptr, "{} is no module", site.name);
  return weight->to(torch::kFloat32);
}

Tensor* find_weight(model::Decoder& decoder, const std::string& name) {
  if (name == "lm_head.weight" && decoder.spec.num_labels == 0) return &decoder.lm_head;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    if (slot.name != name) continue;
    HONE_CHECK(ConfigError, slot.linear == nullptr || slot.linear->packed == nullptr,
               "{}: this adapter puts another weight in its place, but the base's is quantised; "
               "leave the layer out of the quantisation (model.quantization_skip)",
               name);
    return slot.tensor;
  }
  return nullptr;
}

}  // namespace hone::adapters
