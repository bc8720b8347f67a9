#include "datasets/batch.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::datasets {
namespace {

void append_document(const Example& example, Batch& batch) {
  const std::size_t length = example.ids.size();
  HONE_ASSERT(length > 0 && example.weights.size() == length, "{} ids, {} weights", length,
              example.weights.size());
  for (std::size_t t = 0; t < length; ++t) {
    const bool last = t + 1 == length;
    batch.ids.push_back(example.ids[t]);
    batch.positions.push_back(static_cast<std::int64_t>(t));
    batch.targets.push_back(last ? 0 : example.ids[t + 1]);
    batch.weights.push_back(last ? 0.0f : example.weights[t + 1]);
  }
  batch.cu_seqlens.push_back(batch.tokens());
}

}  // namespace

std::int64_t Batch::longest_document() const {
  std::int64_t longest = 0;
  for (std::size_t d = 1; d < cu_seqlens.size(); ++d)
    longest = std::max(longest, cu_seqlens[d] - cu_seqlens[d - 1]);
  return longest;
}

double Batch::trained_weight() const {
  return std::accumulate(weights.begin(), weights.end(), 0.0);
}

std::int64_t Batch::trained_tokens() const {
  return std::count_if(weights.begin(), weights.end(), [](float w) { return w > 0; });
}

Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> rows) {
  std::int64_t tokens = 0;
  for (const std::int64_t row : rows) {
    HONE_ASSERT(row >= 0 && row < dataset.size(), "row {} of {}", row, dataset.size());
    tokens += dataset.lengths()[static_cast<std::size_t>(row)];
  }
  const auto room = static_cast<std::size_t>(tokens);
  Batch batch;
  batch.ids.reserve(room);
  batch.positions.reserve(room);
  batch.targets.reserve(room);
  batch.weights.reserve(room);
  batch.cu_seqlens.reserve(rows.size() + 1);
  batch.cu_seqlens.push_back(0);
  for (const std::int64_t row : rows) append_document(dataset.example(row), batch);
  return batch;
}

}  // namespace hone::datasets
