#include "engine/sharding_options.h"

#include <array>
#include <string_view>

#include "base/error.h"
#include "distributed/exchange.h"
#include "distributed/place.h"
#include "distributed/strategy.h"

namespace hone::engine {
namespace {

using distributed::Divides;

/// Something that is not divided.
struct Whole {
  std::string_view key;
  Divides from;  ///< the least that is divided for it not to work
  bool (*is_wanted)(const RunOptions& options, const Trainable& trainable);
  std::string_view reason;
};

bool caches_reference(const RunOptions& options, const Trainable&) {
  const auto reference = reference_options(options);
  return reference && reference->reference_cache != "off";
}

/// What goes with it besides ddp, by the least that does not.
constexpr std::array<std::string_view, 4> kAlsoFit = {"", "", " and zero1", ", zero1 and zero2"};

constexpr Whole kWholes[] = {
    {"adapter.method: adalora", Divides::kStates,
     [](const RunOptions&, const Trainable& trainable) {
       return trainable.allocation.has_value() ||
              (trainable.adapter && trainable.adapter->penalty().defined());
     },
     "it moves ranks between matrices by all of their gradients"},
    {"adapter.relora_steps", Divides::kStates,
     [](const RunOptions&, const Trainable& trainable) { return trainable.relora.has_value(); },
     "a restart prunes the moments of whole matrices"},
    {"distributed.reduce_dtype: bf16", Divides::kGradients,
     [](const RunOptions& options, const Trainable&) {
       return options.distributed.reduce_dtype == "bf16";
     },
     "a sum that goes to one process is added up in fp32"},
    {"dpo.sync_ref_model", Divides::kStates,
     [](const RunOptions& options, const Trainable&) {
       return options.train.method == "dpo" && options.dpo.sync_ref_model;
     },
     "the reference follows whole weights"},
    {"adapter.init_lora_weights: loftq", Divides::kWeights,
     [](const RunOptions&, const Trainable& trainable) { return trainable.loftq_base.has_value(); },
     "checkpoints keep the base that it makes"},
    {"qat.format", Divides::kWeights,
     [](const RunOptions& options, const Trainable&) { return options.qat.is_on(); },
     "it keeps a packed copy of every matrix"},
    {"reference_cache (of dpo, kto)", Divides::kWeights, caches_reference,
     "one process fills it while the others wait, and a pass of the model takes them all"},
};

}  // namespace

void check_goes_with_sharding(const RunOptions& options, const Trainable& trainable) {
  const std::string& name = options.distributed.strategy;
  const Divides divides = distributed::strategy_named(name).divides;
  for (const Whole& one : kWholes)
    HONE_CHECK(ConfigError, divides < one.from || !one.is_wanted(options, trainable),
               "{} and distributed.strategy: {} do not go together: {}. Leave one of them out; "
               "strategy ddp{} would do",
               one.key, name, one.reason, kAlsoFit[static_cast<std::size_t>(one.from)]);
}

int group_size(const distributed::DistributedOptions& options, const distributed::Group& group) {
  const std::int64_t size =
      options.shard_size > 0
          ? options.shard_size
          : 1 + distributed::greatest(group, distributed::find_place().local_rank, "the places",
                                      distributed::Patience::kPhase);
  HONE_CHECK(ConfigError, size <= group.world() && group.world() % size == 0,
             "distributed.shard_size: {} ranks hold a model together{}, and there are {} ranks; "
             "expected a number that divides these",
             size, options.shard_size > 0 ? "" : " (those of a machine)", group.world());
  return static_cast<int>(size);
}

}  // namespace hone::engine
