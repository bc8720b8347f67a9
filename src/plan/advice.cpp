#include "plan/advice.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"

namespace hone::plan {
namespace {

using engine::RunOptions;
using Overrides = std::vector<std::string>;

/// The same step in twice as many micro-batches of half the size; empty where a row is one already.
Overrides halve_batch(const RunOptions& options) {
  const engine::TrainOptions& train = options.train;
  const std::string more =
      fmt::format("train.gradient_accumulation_steps={}", 2 * train.gradient_accumulation_steps);
  if (train.tokens_per_device_batch > 1)
    return {
        fmt::format("train.tokens_per_device_batch={}", (train.tokens_per_device_batch + 1) / 2),
        more};
  if (train.tokens_per_device_batch > 0 || train.per_device_train_batch_size < 2) return {};
  return {fmt::format("train.per_device_train_batch_size={}",
                      (train.per_device_train_batch_size + 1) / 2),
          more};
}

Overrides narrow_moments(const RunOptions& options) {
  if (options.optim.name == "adamw") return {"optim.name=adamw_8bit"};
  return options.optim.name == "lion" ? Overrides{"optim.name=lion_8bit"} : Overrides{};
}

Overrides compute_again(const RunOptions& options) {
  if (options.train.gradient_checkpointing != "none") return {};
  return {"train.gradient_checkpointing=every_layer"};
}

Overrides narrow_numbers(const RunOptions& options) {
  if (options.train.precision == "bf16" || options.train.precision == "pure_bf16") return {};
  return {"train.precision=bf16"};
}

Overrides pack_base(const RunOptions& options) {
  if (!options.adapter.trains_adapter() || options.model.quantization != "none") return {};
  return {"model.quantization=nf4"};
}

Overrides train_adapter(const RunOptions& options) {
  if (options.adapter.trains_adapter()) return {};
  return {"adapter.method=lora"};
}

/// One change, the cheapest first.
struct Change {
  Overrides (*overrides)(const RunOptions& options);
  const char* costs;
  bool can_repeat = false;
};

constexpr Change kChanges[] = {
    {halve_batch, "the same step in smaller products, which are a little slower", true},
    {narrow_numbers, "numbers of 8 bits of precision; sums stay fp32"},
    {narrow_moments, "moments in 8 bits, by blocks"},
    {compute_again, "a second forward pass of the layers: about a third more time"},
    {pack_base, "a base of 4 bits: unpacked for each product, and a little less exact"},
    {train_adapter, "an adapter in the place of all weights"},
};

std::optional<Plan> try_plan(const Overrides& overrides, const Source& source,
                             const Reload& reload) {
  try {
    return make_plan(reload(overrides), source);
  } catch (const ConfigError&) {
    return std::nullopt;  // options that do not go together: no advice
  }
}

Overrides joined(Overrides first, const Overrides& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

std::vector<Advice> advise(const Plan& plan, const RunOptions& options, const Source& source,
                           const Reload& reload, std::int64_t memory_bytes) {
  std::vector<Advice> list;
  Overrides taken;
  RunOptions now = options;
  std::int64_t total = plan.memory.total();
  for (const Change& change : kChanges) {
    do {
      if (total <= memory_bytes) return list;
      const Overrides overrides = change.overrides(now);
      if (overrides.empty()) break;
      const auto together = try_plan(joined(taken, overrides), source, reload);
      if (!together || together->memory.total() >= total) break;
      const auto alone = try_plan(overrides, source, reload);
      const std::int64_t with = together->memory.total();
      list.push_back(
          {.overrides = overrides,
           .costs = change.costs,
           .saves_bytes = alone ? plan.memory.total() - alone->memory.total() : total - with,
           .total_bytes = with});
      taken = joined(taken, overrides);
      now = reload(taken).options;
      total = with;
    } while (change.can_repeat);
  }
  return list;
}

}  // namespace hone::plan
