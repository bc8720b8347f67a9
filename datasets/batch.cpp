#include "datasets/batch.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::datasets {
namespace {

void append_document(const Example& example, std::int64_t document, Batch& batch) {
  const auto begin = static_cast<std::size_t>(example.document_begin(document));
  const auto end = static_cast<std::size_t>(example.document_end(document));
  HONE_ASSERT(begin < end && end <= example.ids.size() && example.weights.size() >= end,
              "tokens {} to {} of {} ids, {} weights", begin, end, example.ids.size(),
              example.weights.size());
  for (std::size_t t = begin; t < end; ++t) {
    const bool last = t + 1 == end;
    batch.ids.push_back(example.ids[t]);
    batch.positions.push_back(static_cast<std::int64_t>(t - begin));
    batch.targets.push_back(last ? 0 : example.ids[t + 1]);
    batch.weights.push_back(last ? 0.0f : example.weights[t + 1]);
  }
  batch.cu_seqlens.push_back(batch.tokens());
}

void append_row(const Example& example, std::int64_t place, Batch& batch) {
  for (std::int64_t d = 0; d < example.documents(); ++d) append_document(example, d, batch);
  batch.cu_rows.push_back(batch.documents());
  batch.places.push_back(place);
  batch.prompts.push_back(shared_prompt(example));
  batch.values.insert(batch.values.end(), example.values.begin(), example.values.end());
  batch.cu_values.push_back(std::ssize(batch.values));
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
  batch.cu_rows.push_back(0);
  batch.cu_values.push_back(0);
  for (const std::int64_t row : rows) append_row(dataset.example(row), row, batch);
  return batch;
}

Batch documents_of(const Batch& batch, std::int64_t document) {
  Batch chosen = {.cu_seqlens = {0},
                  .cu_rows = {0},
                  .places = batch.places,
                  .prompts = std::vector<std::int64_t>(batch.places.size(), 0),
                  .values = batch.values,
                  .cu_values = batch.cu_values};
  for (std::size_t row = 0; row + 1 < batch.cu_rows.size(); ++row) {
    const std::int64_t place = batch.cu_rows[row] + document;
    HONE_ASSERT(place < batch.cu_rows[row + 1], "document {} of row {}", document, row);
    const std::int64_t begin = batch.cu_seqlens[static_cast<std::size_t>(place)];
    const std::int64_t end = batch.cu_seqlens[static_cast<std::size_t>(place) + 1];
    const auto take = [&](const auto& from, auto& to) {
      to.insert(to.end(), from.begin() + begin, from.begin() + end);
    };
    take(batch.ids, chosen.ids);
    take(batch.positions, chosen.positions);
    take(batch.targets, chosen.targets);
    take(batch.weights, chosen.weights);
    chosen.cu_seqlens.push_back(chosen.tokens());
    chosen.cu_rows.push_back(chosen.documents());
  }
  return chosen;
}

}  // namespace hone::datasets
