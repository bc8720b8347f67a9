// Putting an adapter onto a model, and taking it off.

#include "adapters/adapter.h"
#include "adapters/dropout_probability.h"
#include "adapters/experts.h"
#include "adapters/token_rows.h"
#include "base/error.h"

namespace hone::adapters {

double dropout_of(const Settings& settings) {
  for (const char* key : {"lora_dropout", "vera_dropout", "vblora_dropout", "encoder_dropout"})
    if (settings.says(key)) return settings.get<double>(key);
  return 0;
}

namespace {

/// The random numbers of what makes virtual tokens: above those of every site.
constexpr std::uint32_t kVirtualSite = 1u << 23;

void attach_module(const Adapter& adapter, const AdaptedModule& module, model::Decoder& decoder,
                   const std::shared_ptr<const DropoutState>& dropout_state) {
  const double dropout = dropout_of(adapter.settings);
  const Site& site = module.site;
  const Dropping dropping{dropout, site.index, dropout_state};
  const Place place{site, adapter.settings, module.tensors, adapter.shared, dropping};
  switch (site.kind) {
    case SiteKind::kLinear:
      linear_at(decoder, site).adapter = adapter.method->linear(place);
      return;
    case SiteKind::kHead:
      HONE_CHECK(ConfigError, site.name == "lm_head",
                 "{}: {} cannot be adapted; train it whole with modules_to_save",
                 adapter.settings.where(), site.name);
      HONE_CHECK(ConfigError, dropout == 0 || dropout_state == nullptr,
                 "{}: lm_head is adapted through its weight, which has no input to drop; leave it "
                 "out of target_modules, or set dropout to 0",
                 adapter.settings.where());
      decoder.head_adapter = adapter.method->linear(place);
      return;
    case SiteKind::kEmbedding:
      decoder.embedding_adapter = adapter.method->embedding(place);
      return;
    case SiteKind::kExperts:
      attach_to_experts(place, decoder);
      return;
    case SiteKind::kNorm:
    case SiteKind::kRouter:
      break;
  }
  throw InternalError(fmt::format("{} has no place for an adapter", site.name));
}

void attach_token_rows(const TokenRows& tokens, model::Decoder& decoder) {
  const bool is_embedding = tokens.module != "lm_head";
  const bool is_head =
      !is_embedding || (decoder.spec.num_labels == 0 && decoder.spec.tie_word_embeddings);
  HONE_CHECK(
      ConfigError,
      !(is_embedding && decoder.embedding_adapter) && !(is_head && decoder.head_adapter),
      "rows of {} cannot be trained where it is adapted as well, or the head that is tied to "
      "it",
      tokens.module);
  const auto rows = token_rows_adapter(tokens);
  if (is_embedding) decoder.embedding_adapter = rows;
  if (is_head) decoder.head_adapter = head_of_rows(rows);
}

}  // namespace

void attach(Adapter& adapter, model::Decoder& decoder,
            std::shared_ptr<const DropoutState> dropout_state) {
  for (Replacement& one : adapter.replaced) {
    Tensor* weight = find_weight(decoder, one.weight);
    HONE_ASSERT(weight != nullptr && !one.original.defined(), "{}", one.weight);
    one.original = *weight;
    *weight = one.tensor;
  }
  for (const AdaptedModule& module : adapter.modules)
    attach_module(adapter, module, decoder, dropout_state);
  for (const TokenRows& tokens : adapter.token_rows) attach_token_rows(tokens, decoder);
  if (adapter.method->virtual_tokens != nullptr)
    decoder.virtual_tokens =
        adapter.method->virtual_tokens(decoder, adapter.settings, adapter.virtual_tensors,
                                       {dropout_of(adapter.settings), kVirtualSite, dropout_state});
}

void detach(Adapter& adapter, model::Decoder& decoder) {
  for (const AdaptedModule& module : adapter.modules) {
    if (module.site.kind == SiteKind::kLinear) linear_at(decoder, module.site).adapter.reset();
    if (module.site.kind == SiteKind::kExperts)
      for (model::Linear* layer : expert_layers(decoder, module.site)) layer->adapter.reset();
  }
  decoder.head_adapter.reset();
  decoder.embedding_adapter.reset();
  decoder.virtual_tokens.reset();
  for (Replacement& one : adapter.replaced) {
    *find_weight(decoder, one.weight) = one.original;
    one.original.reset();
  }
}

}  // namespace hone::adapters
