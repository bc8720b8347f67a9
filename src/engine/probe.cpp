#include "engine/probe.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "engine/memory_watch.h"
#include "engine/optimizer_step.h"
#include "engine/recomputation.h"

namespace hone::engine {
namespace {

using Clock = std::chrono::steady_clock;

/// A first step that has a micro-batch this near to the longest is as good as a probe.
constexpr double kAsLong = 0.95;

double in_megabytes(std::int64_t bytes) { return double(bytes) / 1e6; }

/// A step that changes nothing, of one micro-batch.
void run_probe(const TrainingRun& run, const std::vector<std::int64_t>& rows) {
  Session& session = run.session;
  session.feed.set_probe({.micro_batches = {datasets::make_batch(session.train_data, rows)}});
  run.step(kProbeStep);
  session.feed.set_probe({});
}

/// What each layer costs for the longest micro-batch. Everything in a layer grows with its tokens
/// (attention keeps no matrix of them), so it is measured on the shortest.
std::vector<LayerCost> measure_layers(const TrainingRun& run) {
  Session& session = run.session;
  const MemoryWatch memory;
  std::vector<LayerCost> costs(session.decoder.layers.size());
  std::int64_t bytes_before = 0;
  Clock::time_point begin;
  auto watched = std::make_shared<model::Recomputation>(*session.decoder.recomputation);
  watched->watch = [&](std::size_t layer, bool is_done) {
    if (!is_done) {
      bytes_before = memory.live_bytes();
      begin = Clock::now();
      return;
    }
    costs[layer].kept_bytes = memory.live_bytes() - bytes_before;
    costs[layer].forward_s = std::chrono::duration<double>(Clock::now() - begin).count();
  };
  const auto before = std::exchange(session.decoder.recomputation, watched);
  run_probe(run, session.extremes.shortest);
  session.decoder.recomputation = before;
  const double ratio =
      double(session.extremes.longest_tokens) / double(session.extremes.shortest_tokens);
  const auto result_bytes = session.extremes.longest_tokens * session.decoder.spec.hidden_size *
                            std::int64_t(torch::elementSize(session.placement.compute_dtype));
  for (LayerCost& cost : costs) {
    cost.kept_bytes = static_cast<std::int64_t>(double(cost.kept_bytes) * ratio);
    cost.result_bytes = result_bytes;
  }
  return costs;
}

void choose_within_budget(const TrainingRun& run) {
  Session& session = run.session;
  const std::int64_t budget = session.options.train.activation_budget_mb * 1'000'000;
  const std::vector<LayerCost> costs = measure_layers(run);
  std::int64_t all = 0;
  for (const LayerCost& cost : costs) all += cost.kept_bytes;
  auto chosen = std::make_shared<model::Recomputation>(*session.decoder.recomputation);
  chosen->layers = choose_layers(costs, budget);
  const auto count = std::ranges::count(chosen->layers, true);
  session.decoder.recomputation = std::move(chosen);
  log::info(
      "memory  the layers would keep {:.0f} MB of the longest micro-batch ({} tokens), the "
      "budget is {:.0f} MB: {} of {} are computed again",
      in_megabytes(all), session.extremes.longest_tokens, in_megabytes(budget), count,
      costs.size());
}

}  // namespace

void probe(const TrainingRun& run) {
  const Session& session = run.session;
  const TrainOptions& options = session.options.train;
  if (options.gradient_checkpointing == "budget") choose_within_budget(run);
  const datasets::Sampler::Extremes& extremes = session.extremes;
  const bool first_is_as_long =
      double(extremes.longest_of_first_step) >= kAsLong * double(extremes.longest_tokens);
  if (!options.probe || first_is_as_long) return;
  log::info("probe   the longest micro-batch of the run: {} tokens", extremes.longest_tokens);
  const MemoryWatch memory;
  run_probe(run, extremes.longest);
  log::info("probe   it fits: {:.0f} MB of tensors at the most, beside the model",
            in_megabytes(memory.peak_bytes()));
}

}  // namespace hone::engine
