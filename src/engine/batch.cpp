#include "engine/batch.h"

namespace hone::engine {

DeviceBatch to_device(const datasets::Batch& batch, torch::Device device) {
  std::vector<std::int64_t> rows, targets;
  std::vector<float> weights;
  for (std::size_t i = 0; i < batch.weights.size(); ++i) {
    if (batch.weights[i] == 0) continue;
    rows.push_back(static_cast<std::int64_t>(i));
    targets.push_back(batch.targets[i]);
    weights.push_back(batch.weights[i]);
  }
  const auto put = [device](const auto& values, torch::Dtype dtype) {
    return torch::tensor(values, dtype).to(device);
  };
  return {{put(batch.ids, torch::kInt64), put(batch.positions, torch::kInt64), batch.cu_seqlens},
          put(rows, torch::kInt64),
          put(targets, torch::kInt64),
          put(weights, torch::kFloat32)};
}

}  // namespace hone::engine
