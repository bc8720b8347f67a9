#include "datasets/contract.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "config/load.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

constexpr std::int32_t kStop = 2;

Example example(std::int64_t row, std::vector<std::int32_t> ids, std::vector<float> weights) {
  Example e;
  e.ids = std::move(ids);
  e.weights = std::move(weights);
  e.row = row;
  return e;
}

class Contract : public testing::Test {
 protected:
  Contract() {
    info_.files = {"a.jsonl"};
    info_.stop_ids = {kStop};
    info_.counts.read = info_.counts.rendered = 2;
    examples_ = {example(1, {5, 6, 7, kStop}, {0, 0, 1, 1}),
                 example(3, {5, 6, 7, 8, kStop}, {0, 0, 1, 1, 1})};
  }
  ContractReport check() { return check_contract(in_memory(info_, examples_), options_); }
  std::string refusal() {
    return test::message_of<DataError>([&] { check(); });
  }
  Example& second() { return examples_[1]; }

  DatasetInfo info_;
  std::vector<Example> examples_;
  DataOptions options_ = config::defaults<DataOptions>();
};

TEST_F(Contract, HoldsForGoodRows) {
  const ContractReport report = check();
  EXPECT_EQ(report.totals.rows, 2);
  EXPECT_EQ(report.totals.tokens, 9);
  EXPECT_EQ(report.totals.trained_tokens, 5);
  EXPECT_EQ(report.totals.trained_stops, 2);
  EXPECT_EQ(report.totals.untrained_rows, 0);
  EXPECT_DOUBLE_EQ(report.trained_share(), 5.0 / 9);
  EXPECT_TRUE(report.problems.empty());
}

TEST_F(Contract, RefusesDataWithNothingTrained) {
  for (Example& e : examples_) e.weights.assign(e.ids.size(), 0.0f);
  EXPECT_TRUE(test::contains(refusal(), "a.jsonl:1: none of the 9 tokens in 2 rows is trained on"));
}

TEST_F(Contract, SeesThroughThePromptWeight) {
  for (Example& e : examples_) e.weights.assign(e.ids.size(), 0.5f);
  EXPECT_TRUE(test::contains(refusal(), "none of the 9 tokens"));
}

TEST_F(Contract, DoesNotCountAFirstTokenAsTrained) {
  examples_ = {example(1, {kStop}, {1})};
  EXPECT_TRUE(test::contains(refusal(), "none of the 1 tokens"));
}

TEST_F(Contract, RefusesARowWithNothingTrained) {
  second().weights.assign(5, 0.0f);
  const std::string message = refusal();
  EXPECT_TRUE(test::contains(message, "a.jsonl:3: no token of the row is trained on"));
  EXPECT_TRUE(test::contains(message, "1 of 2 rows (50.00 %, allowed 0.00 %)"));
  EXPECT_TRUE(test::contains(message, "data.max_untrained_rows"));
  options_.max_untrained_rows = 0.5;
  EXPECT_EQ(check().totals.untrained_rows, 1);
}

TEST_F(Contract, RefusesAStopTokenThatIsNeverTrained) {
  examples_[0].weights.back() = 0;
  EXPECT_EQ(check().totals.dangling_stops, 1) << "one of them is trained, so the model learns it";
  second().weights.back() = 0;
  EXPECT_TRUE(
      test::contains(refusal(), "a.jsonl:1: the stop token behind the response is not trained on"));
  info_.counts.rendered = 0;
  EXPECT_TRUE(test::contains(refusal(), "the stop token behind the response"))
      << "in rows of tokens that is a broken mask as well";
  info_.stop_ids.clear();
  EXPECT_NO_THROW(check());
}

TEST_F(Contract, RefusesATemplateWithoutAStopToken) {
  for (Example& e : examples_) e.ids.back() = 9;
  EXPECT_TRUE(test::contains(refusal(), "a.jsonl:1: no response ends in a stop token (2)"));
  EXPECT_TRUE(test::contains(refusal(), "data.template"));
}

TEST_F(Contract, LetsRowsOfTokensDoWithoutAStopToken) {
  info_.counts.rendered = 0;
  for (Example& e : examples_) e.ids.back() = 9;
  EXPECT_NO_THROW(check());
}

TEST_F(Contract, IgnoresAStopTokenInsideThePrompt) {
  info_.counts.rendered = 0;
  examples_ = {example(1, {5, kStop, 7, 8}, {0, 0, 1, 1})};
  EXPECT_NO_THROW(check());
}

TEST_F(Contract, RefusesAShareOutsideItsBounds) {
  options_.min_trained_share = 0.6;
  EXPECT_TRUE(test::contains(refusal(),
                             "55.56 % of the tokens are trained on, expected from "
                             "60.00 % to 100.00 %"));
  EXPECT_TRUE(test::contains(refusal(), "a.jsonl:1: ")) << "the row with the lowest share";
  EXPECT_TRUE(test::contains(refusal(), "data.min_trained_share"));
  options_.min_trained_share = 0;
  options_.max_trained_share = 0.5;
  EXPECT_TRUE(test::contains(refusal(), "a.jsonl:3: ")) << "the row with the highest share";
  EXPECT_TRUE(test::contains(refusal(), "data.max_trained_share"));
}

TEST_F(Contract, RefusesTooManyStraddlingRows) {
  second().straddling_tokens = 2;
  const std::string message = refusal();
  EXPECT_TRUE(test::contains(message, "a.jsonl:3: 2 of the row's tokens lie across the border"));
  EXPECT_TRUE(test::contains(message, "1 of 2 rows (50.00 %, allowed 10.00 %)"));
  options_.max_straddling_rows = 0.5;
  EXPECT_EQ(check().totals.straddling_rows, 1);
}

TEST_F(Contract, TellsEverythingAtOnceAndCanBeTurnedOff) {
  second().straddling_tokens = 1;
  second().weights.assign(5, 0.0f);
  EXPECT_TRUE(test::contains(refusal(), "no token of the row"));
  EXPECT_TRUE(test::contains(refusal(), "across the border"));
  EXPECT_TRUE(test::contains(refusal(), "data.mask_contract"));
  options_.mask_contract = false;
  EXPECT_EQ(check().problems.size(), 2u);
}

}  // namespace
}  // namespace hone::datasets
