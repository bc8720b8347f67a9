#include "engine/batch.h"

#include "datasets/sampler.h"

namespace hone::engine {

DeviceBatch to_device(const datasets::Batch& batch, torch::Device device) {
  std::vector<std::int64_t> rows, targets;
  std::vector<float> weights;
  std::vector<std::int64_t> counts(static_cast<std::size_t>(batch.documents()));
  std::size_t document = 0;
  for (std::size_t i = 0; i < batch.weights.size(); ++i) {
    while (static_cast<std::int64_t>(i) >= batch.cu_seqlens[document + 1]) ++document;
    if (batch.weights[i] == 0) continue;
    rows.push_back(static_cast<std::int64_t>(i));
    targets.push_back(batch.targets[i]);
    weights.push_back(batch.weights[i]);
    ++counts[document];
  }
  const auto put = [device](const auto& values, torch::Dtype dtype) {
    return torch::tensor(values, dtype).to(device);
  };
  return {&batch,
          {put(batch.ids, torch::kInt64), put(batch.positions, torch::kInt64), batch.cu_seqlens},
          put(rows, torch::kInt64),
          put(targets, torch::kInt64),
          put(weights, torch::kFloat32),
          put(counts, torch::kInt64)};
}

void for_each_batch(const datasets::Dataset& data, std::int64_t tokens_per_batch,
                    const std::function<void(const datasets::Batch&)>& use) {
  const datasets::Sampler sampler(data.lengths(),
                                  datasets::RowOrder::plain(data.size(), 0, /*shuffle=*/false),
                                  {.tokens_per_batch = tokens_per_batch});
  const std::int64_t count = sampler.steps_per_epoch(0);
  for (std::int64_t i = 0; i < count; ++i)
    use(datasets::make_batch(data, sampler.step(i).micro_batches.front()));
}

}  // namespace hone::engine
