#pragma once

#include <utility>
#include <vector>

#include "io/safetensors.h"
#include "model/weights.h"

namespace hone::test {

using torch::Tensor;

/// The fixture's padded rows as a flat stream, and where each of its tokens came from.
struct FixtureBatch {
  model::TokenStream tokens;
  std::vector<std::pair<std::int64_t, std::int64_t>> places;  ///< (row, column) of each token
  Tensor rows_M, targets_M;
};

inline FixtureBatch flatten(const io::SafetensorsFile& io) {
  const Tensor ids = model::to_tensor(*io.find("input_ids")).to(torch::kInt64);
  const Tensor mask = model::to_tensor(*io.find("attention_mask")).to(torch::kInt64);
  const Tensor labels = io.find("labels") == nullptr
                            ? torch::full_like(ids, -100)
                            : model::to_tensor(*io.find("labels")).to(torch::kInt64);
  FixtureBatch batch;
  std::vector<std::int64_t> flat_ids, positions, rows, targets, borders{0};
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    std::int64_t position = 0;
    for (std::int64_t c = 0; c < ids.size(1); ++c) {
      if (mask[r][c].item<std::int64_t>() == 0) continue;
      if (position > 0 && labels[r][c].item<std::int64_t>() != -100) {
        rows.push_back(std::ssize(flat_ids) - 1);
        targets.push_back(labels[r][c].item<std::int64_t>());
      }
      flat_ids.push_back(ids[r][c].item<std::int64_t>());
      positions.push_back(position++);
      batch.places.emplace_back(r, c);
    }
    borders.push_back(std::ssize(flat_ids));
  }
  batch.tokens = {torch::tensor(flat_ids), torch::tensor(positions), borders};
  batch.rows_M = torch::tensor(rows);
  batch.targets_M = torch::tensor(targets);
  return batch;
}

/// ‖got − expected‖ / ‖expected‖
inline double relative_error(const Tensor& got, const Tensor& expected) {
  return ((got - expected).norm() / expected.norm()).item<double>();
}

}  // namespace hone::test
