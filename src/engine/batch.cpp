#include "engine/batch.h"

#include <numeric>

#include "datasets/sampler.h"

namespace hone::engine {

namespace {

/// The batch as it lies in the stream.
struct Layout {
  std::vector<std::int64_t> ids, positions, cu_seqlens{0}, prefix_of;
  std::vector<std::int64_t> place_of;  ///< [N] where each of the batch's tokens is

  /// Takes in tokens [begin, end) of the batch as a span.
  void append(const datasets::Batch& batch, std::int64_t begin, std::int64_t end,
              std::int64_t prefix) {
    for (std::int64_t t = begin; t < end; ++t) {
      place_of[std::size_t(t)] = std::ssize(ids);
      ids.push_back(batch.ids[std::size_t(t)]);
      positions.push_back(batch.positions[std::size_t(t)]);
    }
    cu_seqlens.push_back(std::ssize(ids));
    prefix_of.push_back(prefix);
  }
};

/// Every document whole.
Layout plain_layout(const datasets::Batch& batch) {
  Layout layout{batch.ids, batch.positions, batch.cu_seqlens, {}, {}};
  layout.place_of.resize(batch.ids.size());
  std::iota(layout.place_of.begin(), layout.place_of.end(), 0);
  return layout;
}

/// The documents of each row behind one copy of their prompt.
Layout shared_layout(const datasets::Batch& batch) {
  Layout layout;
  layout.place_of.resize(batch.ids.size());
  for (std::size_t r = 0; r < batch.prompts.size(); ++r) {
    const auto first = std::size_t(batch.cu_rows[r]), last = std::size_t(batch.cu_rows[r + 1]);
    const std::int64_t prompt = batch.prompts[r], begin = batch.cu_seqlens[first];
    std::int64_t prefix = -1;
    if (prompt > 0) {
      prefix = std::ssize(layout.prefix_of);
      layout.append(batch, begin, begin + prompt, -1);
    }
    for (std::size_t d = first; d < last; ++d) {
      for (std::int64_t t = 0; t < prompt; ++t)
        layout.place_of[std::size_t(batch.cu_seqlens[d] + t)] =
            layout.place_of[std::size_t(begin + t)];
      layout.append(batch, batch.cu_seqlens[d] + prompt, batch.cu_seqlens[d + 1], prefix);
    }
  }
  return layout;
}

/// Tokens that are predicted: from which row of the stream, which token, of which document.
struct Predictions {
  std::vector<std::int64_t> rows, targets, documents;

  void add(std::int64_t row, std::int64_t target, std::size_t document) {
    rows.push_back(row);
    targets.push_back(target);
    documents.push_back(static_cast<std::int64_t>(document));
  }
};

}  // namespace

DeviceBatch to_device(const datasets::Batch& batch, torch::Device device, bool share_prompts) {
  const Layout layout = share_prompts ? shared_layout(batch) : plain_layout(batch);
  Predictions weighted, unweighted;
  std::vector<float> weights;
  std::vector<std::int64_t> counts, ends;
  for (std::size_t d = 0; d + 1 < batch.cu_seqlens.size(); ++d) {
    const auto end = static_cast<std::size_t>(batch.cu_seqlens[d + 1]);
    const std::size_t before = weights.size();
    for (auto i = static_cast<std::size_t>(batch.cu_seqlens[d]); i + 1 < end; ++i) {
      const bool counts_in_loss = batch.weights[i] != 0;
      (counts_in_loss ? weighted : unweighted).add(layout.place_of[i], batch.targets[i], d);
      if (counts_in_loss) weights.push_back(batch.weights[i]);
    }
    counts.push_back(std::ssize(weights) - static_cast<std::int64_t>(before));
    ends.push_back(layout.place_of[end - 1]);
  }
  const auto put = [device](const auto& values, torch::Dtype dtype) {
    return torch::tensor(values, dtype).to(device);
  };
  const auto i64 = torch::kInt64;
  return {.host = &batch,
          .tokens = {put(layout.ids, i64), put(layout.positions, i64), layout.cu_seqlens,
                     layout.prefix_of},
          .rows_M = put(weighted.rows, i64),
          .targets_M = put(weighted.targets, i64),
          .weights_M = put(weights, torch::kFloat32),
          .counts_D = put(counts, i64),
          .unweighted_rows = put(unweighted.rows, i64),
          .unweighted_targets = put(unweighted.targets, i64),
          .unweighted_documents = put(unweighted.documents, i64),
          .ends_D = put(ends, i64)};
}

std::int64_t stream_tokens(const datasets::Batch& batch, bool share_prompts) {
  std::int64_t tokens = batch.tokens();
  if (!share_prompts) return tokens;
  for (std::size_t r = 0; r < batch.prompts.size(); ++r)
    tokens -= batch.prompts[r] * (batch.cu_rows[r + 1] - batch.cu_rows[r] - 1);
  return tokens;
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
