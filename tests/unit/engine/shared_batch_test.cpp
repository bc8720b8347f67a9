#include <gtest/gtest.h>

#include "engine/batch.h"

namespace hone::engine {
namespace {

/// Two pairs and a single document: prompts of 3, 1 and 0 tokens.
datasets::Batch rows() {
  datasets::Batch batch;
  const auto document = [&](const std::vector<std::int64_t>& prompt,
                            const std::vector<std::int64_t>& answer) {
    std::vector<std::int64_t> ids = prompt;
    ids.insert(ids.end(), answer.begin(), answer.end());
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const bool is_last = t + 1 == ids.size();
      batch.ids.push_back(ids[t]);
      batch.positions.push_back(std::int64_t(t));
      batch.targets.push_back(is_last ? 0 : ids[t + 1]);
      batch.weights.push_back(!is_last && t + 1 >= prompt.size() ? 1.0f : 0.0f);
    }
    batch.cu_seqlens.push_back(batch.tokens());
  };
  batch.cu_seqlens = {0};
  document({1, 2, 3}, {10, 11});
  document({1, 2, 3}, {20});
  document({4}, {30, 31, 32});
  document({4}, {40, 41});
  document({5, 6}, {50});
  batch.cu_rows = {0, 2, 4, 5};
  batch.places = {0, 1, 2};
  batch.prompts = {3, 1, 0};
  return batch;
}

std::vector<std::int64_t> list(const Tensor& tensor) {
  const Tensor values = tensor.to(torch::kInt64).contiguous();
  return {values.const_data_ptr<std::int64_t>(),
          values.const_data_ptr<std::int64_t>() + values.numel()};
}

using Numbers = std::vector<std::int64_t>;

TEST(SharedBatch, HasEachPromptOnce) {
  const datasets::Batch batch = rows();
  const DeviceBatch shared = to_device(batch, torch::kCPU, /*share_prompts=*/true);
  EXPECT_EQ(list(shared.tokens.ids_N),
            (Numbers{1, 2, 3, 10, 11, 20, 4, 30, 31, 32, 40, 41, 5, 6, 50}));
  EXPECT_EQ(list(shared.tokens.positions_N),
            (Numbers{0, 1, 2, 3, 4, 3, 0, 1, 2, 3, 1, 2, 0, 1, 2}));
  EXPECT_EQ(shared.tokens.cu_seqlens, (Numbers{0, 3, 5, 6, 7, 10, 12, 15}));
  EXPECT_EQ(shared.tokens.prefix_of, (Numbers{-1, 0, 0, -1, 3, 3, -1}));
  EXPECT_EQ(stream_tokens(batch, /*share_prompts=*/true), 15);
  EXPECT_EQ(stream_tokens(batch, /*share_prompts=*/false), batch.tokens());
  // The prompt's last token predicts the first of both answers.
  EXPECT_EQ(list(shared.rows_M), (Numbers{2, 3, 2, 6, 7, 8, 6, 10, 13}));
  EXPECT_EQ(list(shared.ends_D), (Numbers{4, 5, 9, 11, 14}));
  EXPECT_EQ(list(shared.unweighted_rows), (Numbers{0, 1, 0, 1, 12}));
}

TEST(SharedBatch, PredictsWhatTheWholeDocumentsDo) {
  const datasets::Batch batch = rows();
  const DeviceBatch whole = to_device(batch, torch::kCPU);
  const DeviceBatch shared = to_device(batch, torch::kCPU, /*share_prompts=*/true);
  EXPECT_TRUE(whole.tokens.prefix_of.empty());
  EXPECT_EQ(list(whole.tokens.ids_N), batch.ids);
  EXPECT_EQ(list(whole.ends_D), (Numbers{4, 8, 12, 15, 18}));
  const auto predicted = [](const DeviceBatch& one, const Tensor& rows_M) {
    return list(one.tokens.ids_N.index_select(0, rows_M));
  };
  EXPECT_EQ(predicted(shared, shared.rows_M), predicted(whole, whole.rows_M));
  EXPECT_EQ(predicted(shared, shared.unweighted_rows), predicted(whole, whole.unweighted_rows));
  EXPECT_EQ(predicted(shared, shared.ends_D), predicted(whole, whole.ends_D));
  for (const auto& [one, other] : {std::pair{&shared.targets_M, &whole.targets_M},
                                   {&shared.counts_D, &whole.counts_D},
                                   {&shared.unweighted_targets, &whole.unweighted_targets},
                                   {&shared.unweighted_documents, &whole.unweighted_documents}})
    EXPECT_EQ(list(*one), list(*other));
}

}  // namespace
}  // namespace hone::engine
