#include "datasets/lent_answers.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using Ids = std::vector<std::int32_t>;

/// Row i: i tokens of prompt, an answer of two.
Dataset rows(std::int32_t count) {
  std::vector<Example> examples;
  for (std::int32_t i = 1; i <= count; ++i) {
    Example e;
    e.ids.assign(static_cast<std::size_t>(i), i);
    e.responses.assign(e.ids.size(), 0);
    for (const std::int32_t id : {10 * i, 10 * i + 1}) {
      e.ids.push_back(id);
      e.responses.push_back(1);
    }
    e.weights.assign(e.responses.begin(), e.responses.end());
    e.values = {static_cast<float>(i % 2)};
    e.row = i;
    examples.push_back(e);
  }
  return in_memory({.files = {"rows.jsonl"}}, examples);
}

TEST(LentAnswers, NeighboursLendEachOtherTheirs) {
  const Dataset lent = with_lent_answers(rows(3), 0);
  EXPECT_EQ(lent.example(0).ids, (Ids{1, 10, 11, 1, 20, 21}));
  EXPECT_EQ(lent.example(1).ids, (Ids{2, 2, 20, 21, 2, 2, 10, 11}));
  EXPECT_EQ(lent.example(2).ids, (Ids{3, 3, 3, 30, 31, 3, 3, 3, 20, 21}));
  EXPECT_EQ(lent.example(1).document_ends, (Ids{4, 8}));
  EXPECT_EQ(lent.example(1).weights, (std::vector<float>{0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(lent.example(0).values, (std::vector<float>{1}));
  EXPECT_EQ(lent.lengths(), (std::vector<std::int64_t>{6, 8, 10}));
  EXPECT_EQ(lent.where(1), "rows.jsonl:2");
}

TEST(LentAnswers, AreCutToTheLimitButNeverAway) {
  EXPECT_EQ(with_lent_answers(rows(2), 3).example(1).ids, (Ids{2, 2, 20, 21, 2, 2, 10}));
  EXPECT_EQ(with_lent_answers(rows(2), 2).example(1).ids, (Ids{2, 2, 20, 21, 2, 2, 10}));
}

TEST(LentAnswers, NeedTwoRows) {
  EXPECT_TRUE(test::contains(test::message_of<DataError>([] { with_lent_answers(rows(1), 0); }),
                             "rows.jsonl:1: there is one row"));
}

}  // namespace
}  // namespace hone::datasets
