#include "datasets/batch.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone::datasets {
namespace {

Example example(std::vector<std::int32_t> ids, std::vector<float> weights) {
  Example e;
  e.ids = std::move(ids);
  e.weights = std::move(weights);
  return e;
}

Dataset three_documents() {
  return in_memory(
      {}, {example({11, 12, 13}, {0, 0.25f, 1}), example({21}, {1}), example({31, 32}, {0, 1})});
}

TEST(Batch, LaysDocumentsEndToEnd) {
  const std::vector<std::int64_t> rows = {2, 0, 1};
  const Batch batch = make_batch(three_documents(), rows);
  EXPECT_EQ(batch.ids, (std::vector<std::int64_t>{31, 32, 11, 12, 13, 21}));
  EXPECT_EQ(batch.positions, (std::vector<std::int64_t>{0, 1, 0, 1, 2, 0}));
  EXPECT_EQ(batch.cu_seqlens, (std::vector<std::int64_t>{0, 2, 5, 6}));
  EXPECT_EQ(batch.tokens(), 6);
  EXPECT_EQ(batch.documents(), 3);
  EXPECT_EQ(batch.longest_document(), 3);
}

TEST(Batch, NeverPredictsAcrossDocuments) {
  const std::vector<std::int64_t> rows = {0, 1, 2};
  const Batch batch = make_batch(three_documents(), rows);
  EXPECT_EQ(batch.targets, (std::vector<std::int64_t>{12, 13, 0, 0, 32, 0}));
  EXPECT_EQ(batch.weights, (std::vector<float>{0.25f, 1, 0, 0, 1, 0}));
  EXPECT_DOUBLE_EQ(batch.trained_weight(), 2.25);
  EXPECT_EQ(batch.trained_tokens(), 3);
}

TEST(Batch, OfNoRowsHasOneBorder) {
  const Batch batch = make_batch(three_documents(), {});
  EXPECT_EQ(batch.tokens(), 0);
  EXPECT_EQ(batch.documents(), 0);
  EXPECT_EQ(batch.cu_seqlens, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(batch.longest_document(), 0);
}

TEST(Batch, WeighsAsMuchAsItsDataset) {
  const Dataset dataset = three_documents();
  const std::vector<std::int64_t> rows = {0, 1, 2};
  EXPECT_DOUBLE_EQ(make_batch(dataset, rows).trained_weight(), dataset.totals().weight);
  EXPECT_EQ(dataset.totals().tokens, 6);
  EXPECT_EQ(dataset.lengths(), (std::vector<std::int64_t>{3, 1, 2}));
}

}  // namespace
}  // namespace hone::datasets
