#include "plan/strategies.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace hone::plan {
namespace {

constexpr Strategy kStrategies[] = {
    {.name = "ddp"},
    {.name = "zero1", .shards_moments = true},
    {.name = "zero2", .shards_gradients = true, .shards_moments = true},
    {.name = "fsdp", .shards_weights = true, .shards_gradients = true, .shards_moments = true},
    {.name = "hybrid",
     .shards_weights = true,
     .shards_gradients = true,
     .shards_moments = true,
     .within_node = true},
};

std::int64_t part_of(std::int64_t bytes, bool is_sharded, std::int64_t ranks) {
  return is_sharded ? (bytes + ranks - 1) / ranks : bytes;
}

/// Half of a ring's all-reduce: every rank gets all parts, or the sum of its own.
Transfer half_ring(When when, Over over, double bytes, double collectives, std::int64_t ranks) {
  const auto n = double(ranks);
  return {when, over, (n - 1) / n * bytes, (n - 1) * collectives, collectives};
}

Transfer whole_ring(When when, Over over, double bytes, double collectives, std::int64_t ranks) {
  Transfer transfer = half_ring(when, over, bytes, collectives, ranks);
  transfer.bytes *= 2;
  transfer.hops *= 2;
  return transfer;
}

/// Gradients of the model's own weights travel in pieces of about this size.
constexpr double kBucketBytes = 25e6;

double buckets_of(double bytes) { return std::max(1.0, std::ceil(bytes / kBucketBytes)); }

}  // namespace

std::span<const Strategy> strategies() { return kStrategies; }

const Strategy& strategy_named(std::string_view name) {
  const auto found = std::ranges::find(kStrategies, name, &Strategy::name);
  std::vector<std::string_view> names;
  for (const Strategy& strategy : kStrategies) names.push_back(strategy.name);
  HONE_CHECK(ConfigError, found != std::end(kStrategies),
             "hone plan knows no strategy '{}'; expected one of {}", name, fmt::join(names, ", "));
  return *found;
}

bool can_divide(const Strategy& strategy, std::int64_t ranks, std::int64_t ranks_per_node) {
  return !strategy.within_node || ranks % std::min(ranks, ranks_per_node) == 0;
}

Memory memory_per_rank(const Plan& plan, const Strategy& strategy, std::int64_t ranks,
                       std::int64_t ranks_per_node) {
  const std::int64_t n = strategy.within_node ? std::min(ranks, ranks_per_node) : ranks;
  Memory memory = plan.memory;
  if (n == 1) return memory;
  memory.weights = part_of(memory.weights, strategy.shards_weights, n);
  memory.trained = part_of(memory.trained, strategy.shards_weights, n);
  memory.gradients = part_of(memory.gradients, strategy.shards_gradients, n);
  memory.moments = part_of(memory.moments, strategy.shards_moments, n);
  memory.host = part_of(memory.host, strategy.shards_moments, n);
  if (strategy.shards_weights) memory.activations += 2 * plan.exchange.largest_unit;
  return memory;
}

std::vector<Transfer> transfers(const Plan& plan, const Strategy& strategy, std::int64_t ranks,
                                std::int64_t ranks_per_node) {
  const Exchange& exchange = plan.exchange;
  const auto micro_batches = double(plan.micro_batches), units = double(exchange.units);
  const auto gradients = double(exchange.gradients);
  const double buckets = buckets_of(gradients);
  if (!strategy.shards_weights) {
    const When last = plan.trains_adapter ? When::kAfter : When::kLastBackward;
    if (!strategy.shards_moments) return {whole_ring(last, Over::kAll, gradients, buckets, ranks)};
    // zero1 sums as ddp does; under zero2 a sum goes to the rank alone that updates its part.
    const Transfer sums = strategy.shards_gradients
                              ? half_ring(When::kBackward, Over::kAll, gradients * micro_batches,
                                          buckets * micro_batches, ranks)
                              : whole_ring(last, Over::kAll, gradients, buckets, ranks);
    const auto trained = double(exchange.trained);
    return {sums, half_ring(When::kAfter, Over::kAll, trained, buckets_of(trained), ranks)};
  }
  const std::int64_t n = strategy.within_node ? std::min(ranks, ranks_per_node) : ranks;
  const Over over = strategy.within_node ? Over::kNode : Over::kAll;
  const double weights = double(exchange.weights) * micro_batches, all = units * micro_batches;
  std::vector<Transfer> list = {
      half_ring(When::kForward, over, weights, all, n),
      half_ring(When::kBackward, over, weights, all, n),
      half_ring(When::kBackward, over, gradients * micro_batches, all, n)};
  if (strategy.within_node && ranks > n)
    list.push_back(whole_ring(When::kLastBackward, Over::kNodes, gradients / double(n),
                              buckets_of(gradients / double(n)), ranks / n));
  return list;
}

double sent_bytes(const std::vector<Transfer>& transfers) {
  double bytes = 0;
  for (const Transfer& transfer : transfers) bytes += transfer.bytes;
  return bytes;
}

}  // namespace hone::plan
