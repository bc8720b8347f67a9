#include "engine/recomputation.h"

#include <algorithm>
#include <numeric>

namespace hone::engine {

std::shared_ptr<const model::Recomputation> make_recomputation(
    const TrainOptions& options, std::size_t layers,
    std::shared_ptr<adapters::DropoutState> dropout) {
  const std::string& which = options.gradient_checkpointing;
  if (which == "none") return nullptr;
  auto recomputation = std::make_shared<model::Recomputation>();
  const auto interval =
      static_cast<std::size_t>(which == "every_kth" ? options.gradient_checkpointing_interval : 1);
  for (std::size_t layer = 0; layer < layers; ++layer)
    recomputation->layers.push_back(which != "budget" && layer % interval == 0);
  recomputation->note_state = [dropout]() -> model::PutBack {
    return [dropout, then = *dropout] { *dropout = then; };
  };
  return recomputation;
}

std::vector<bool> choose_layers(const std::vector<LayerCost>& costs, std::int64_t budget_bytes) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto saved = [&](std::size_t layer) {
    return costs[layer].kept_bytes - costs[layer].result_bytes;
  };
  const auto worth = [&](std::size_t layer) {
    return double(saved(layer)) / std::max(costs[layer].forward_s, 1e-9);
  };
  std::ranges::stable_sort(order, std::ranges::greater(), worth);
  std::int64_t kept = 0, largest_again = 0;
  for (const LayerCost& cost : costs) kept += cost.kept_bytes;
  std::vector<bool> again(costs.size(), false);
  for (const std::size_t layer : order) {
    if (kept + largest_again <= budget_bytes) break;
    again[layer] = true;
    kept -= saved(layer);
    largest_again = std::max(largest_again, saved(layer));
  }
  return again;
}

}  // namespace hone::engine
