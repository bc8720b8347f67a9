#include "export/prepare.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "adapters/initial.h"
#include "adapters/merge.h"
#include "base/error.h"

namespace hone::exporting {
namespace {

using adapters::Adapter;

bool asks_for(const std::vector<const Rule*>& found, Handling handling) {
  return std::ranges::any_of(found, [&](const Rule* rule) { return rule->handling == handling; });
}

void refuse(const Target& target, const std::vector<const Rule*>& found) {
  std::vector<std::string> lines;
  for (const Rule* rule : found)
    if (rule->handling != Handling::kFold) lines.push_back(describe(*rule));
  throw ConfigError(
      fmt::format("{} cannot serve this adapter:\n  {}", target.name, fmt::join(lines, "\n  ")));
}

/// The part of an SVD's result that a reader wants to know at once.
std::string describe_svd(const adapters::PlainLora& plain) {
  double worst = 0, sum = 0;
  for (const adapters::Nearness& error : plain.errors) {
    worst = std::max(worst, error.relative);
    sum += error.relative;
  }
  return fmt::format(
      "turned into plain LoRA of rank {} by SVD: what is missing of the updates is {:.3g} of them "
      "on average, {:.3g} in the worst module",
      plain.adapter.settings.get<std::int64_t>("r"), sum / double(plain.errors.size()), worst);
}

Prepared merged(Adapter adapter, model::Decoder& decoder) {
  adapters::merge(adapter, decoder);
  return {std::nullopt, {"merged into the weights"}, {}};
}

}  // namespace

Prepared prepare(const Target& target, Adapter adapter, model::Decoder& decoder,
                 const Remedies& remedies) {
  HONE_CHECK(ConfigError, target.takes_merged || !remedies.merge,
             "--merge: {} takes adapters alone; for merged weights export --target hf",
             target.name);
  if (remedies.merge || !target.takes_adapter) return merged(std::move(adapter), decoder);
  // As it is saved: rules are about the ranks that a server sees.
  if (adapter.took_over_directions()) adapter = adapters::as_plain_lora(adapter);
  Prepared prepared;
  auto found = findings(target.rules, facts_of(adapter, decoder));
  if (remedies.svd && asks_for(found, Handling::kSvdOrMerge)) {
    adapters::PlainLora plain = adapters::plain_lora_near(adapter, decoder, remedies.rank);
    prepared.notes.push_back(describe_svd(plain));
    prepared.svd_errors = std::move(plain.errors);
    adapter = std::move(plain.adapter);
    found = findings(target.rules, facts_of(adapter, decoder));
  }
  if (asks_for(found, Handling::kSvdOrMerge) || asks_for(found, Handling::kMerge))
    refuse(target, found);
  if (asks_for(found, Handling::kFold)) {
    adapter = adapters::fold(adapter);
    if (!adapters::covers_all_layers(adapter, decoder) &&
        std::ranges::any_of(found, [](const Rule* rule) { return rule->needs_all_layers; }))
      adapter = adapters::cover_all_layers(adapter, decoder);
    for (const Rule* rule : found)
      prepared.notes.push_back(fmt::format("folded for {}", describe(*rule)));
    const auto left = findings(target.rules, facts_of(adapter, decoder));
    if (!left.empty()) refuse(target, left);
  }
  prepared.adapter = std::move(adapter);
  return prepared;
}

std::vector<std::string> serving_warnings(const Target& target, const Facts& facts) {
  std::vector<std::string> warnings;
  if (!target.takes_adapter) return warnings;
  for (const Rule* rule : findings(target.rules, facts))
    if (rule->handling != Handling::kFold)
      warnings.push_back(
          fmt::format("export.serve_target: {} cannot serve as it is what this config trains. {}",
                      target.name, describe(*rule)));
  return warnings;
}

}  // namespace hone::exporting
