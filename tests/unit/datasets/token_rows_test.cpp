#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "config/load.h"
#include "datasets/load.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

class TokenRows : public testing::Test {
 protected:
  Dataset read(const std::string& rows) {
    return load({folder_.write("rows.jsonl", rows).string()}, options_, tools_, context_length_);
  }
  std::string refusal(const std::string& rows) {
    return test::message_of<DataError>([&] { read(rows); });
  }

  test::TempFolder folder_;
  DataOptions options_ = config::defaults<DataOptions>();
  TextTools tools_{.vocab_size = 100};
  std::int64_t context_length_ = 0;
};

TEST_F(TokenRows, TakeWeightsFromLabels) {
  const Dataset dataset = read(R"({"input_ids":[5,6,7,8],"labels":[-100,-100,7,8],"id":"x"})");
  ASSERT_EQ(dataset.size(), 1);
  EXPECT_EQ(dataset.example(0).ids, (std::vector<std::int32_t>{5, 6, 7, 8}));
  EXPECT_EQ(dataset.example(0).weights, (std::vector<float>{0, 0, 1, 1}));
  EXPECT_EQ(dataset.example(0).row, 1);
  EXPECT_EQ(dataset.counts().rendered, 0);
}

TEST_F(TokenRows, TakeWeightsFromACompletionMask) {
  const std::string row = R"({"input_ids":[5,6,7],"completion_mask":[0,0,1]})";
  EXPECT_EQ(read(row).example(0).weights, (std::vector<float>{0, 0, 1}));
  options_.prompt_loss_weight = 0.5;
  EXPECT_EQ(read(row).example(0).weights, (std::vector<float>{0.5f, 0.5f, 1}));
}

TEST_F(TokenRows, AreTrainedOnAsAWholeWithoutAMask) {
  const Dataset dataset = read(R"({"input_ids":[5,6,7]})");
  EXPECT_EQ(dataset.example(0).weights, (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(dataset.example(0).trained_tokens(), 2);
  EXPECT_DOUBLE_EQ(dataset.totals().weight, 2);
}

TEST_F(TokenRows, KeepLabelsOutOfThePromptWeight) {
  options_.prompt_loss_weight = 0.5;
  EXPECT_EQ(read(R"({"input_ids":[5,6],"labels":[-100,6]})").example(0).weights,
            (std::vector<float>{0, 1}));
}

TEST_F(TokenRows, OfTheSftFixtureLoad) {
  const std::string file = test::fixture("train/data/sft.jsonl").string();
  const Dataset dataset = load({file}, options_, {.vocab_size = 256}, 0);
  EXPECT_EQ(dataset.size(), 160);
  EXPECT_EQ(dataset.counts().read, 160);
  EXPECT_EQ(dataset.info().sha256, sha256_file(file));
  EXPECT_EQ(dataset.where(3), file + ":4");
  EXPECT_EQ(dataset.example(0).length(), 17);
  EXPECT_EQ(dataset.example(0).trained_tokens(), 12);
  for (std::int64_t i = 0; i < dataset.size(); ++i) EXPECT_EQ(dataset.example(i).ids.back(), 2);
}

TEST_F(TokenRows, SayWhereAndWhatIsWrong) {
  const auto says = [&](const std::string& row, const std::string& part) {
    const std::string message = refusal("{\"input_ids\":[1,2]}\n\n" + row);
    EXPECT_TRUE(test::contains(message, "rows.jsonl:3:"));
    EXPECT_TRUE(test::contains(message, part));
  };
  says(R"({"input_ids":[]})", "\"input_ids\" is empty");
  says(R"({"input_ids":"ab"})", "\"input_ids\" is string, expected an array of integers");
  says(R"({"input_ids":[1,2.5]})", "input_ids[1] is 2.5, expected an integer");
  says(R"({"input_ids":[1,-1]})", "input_ids[1] is -1, expected an id from 0 to 99");
  says(R"({"input_ids":[1,100]})", "input_ids[1] is 100, expected an id from 0 to 99");
  says(R"({"input_ids":[18446744073709551615]})", "input_ids[0] is 18446744073709551615");
  says(R"({"input_ids":[1,2],"labels":[1]})", "\"labels\" has 1 items and \"input_ids\" 2");
  says(R"({"input_ids":[1,2],"labels":[2,-100]})", "labels[0] is 2 and input_ids[0] is 1");
  says(R"({"input_ids":[1,2],"labels":[-100,null]})", "labels[1] is null, expected an integer");
  says(R"({"input_ids":[1,2],"completion_mask":[0,2]})", "completion_mask[1] is 2");
  says(R"({"input_ids":[1,2],"completion_mask":[0]})", "\"completion_mask\" has 1 items");
  says(R"({"input_ids":[1],"labels":[1],"completion_mask":[1]})", "keep the one that is meant");
  says(R"({"input_ids":[1,2],"assistant_masks":[0,1]})", "name it \"completion_mask\"");
  says(R"({"input_ids":[1,2],"attention_mask":[1,0]})", "the row is padded");
  says(R"({"messages":[]})", "with \"input_ids\" or \"prompt_ids\"");
  says(R"([1,2])", "the row is array, expected an object");
  says("{\"input_ids\":[1,2],\"x\":\"\xff\"}", "UTF-8");
  says(R"({"input_ids":[1,2)", "rows.jsonl:3");
}

TEST_F(TokenRows, WithoutAVocabularyTakeAnyId) {
  tools_.vocab_size = 0;
  EXPECT_EQ(read(R"({"input_ids":[1,2147483646]})").example(0).ids[1], 2147483646);
  EXPECT_TRUE(test::contains(refusal(R"({"input_ids":[1,4294967296]})"), "4294967296"));
}

TEST_F(TokenRows, AreRefusedTenAtATime) {
  std::string rows = "{\"input_ids\":[1,2]}\n";
  for (int i = 0; i < 25; ++i) rows += "{\"input_ids\":[]}\n";
  const std::string message = refusal(rows);
  for (int line = 2; line <= 11; ++line)
    EXPECT_TRUE(test::contains(message, "rows.jsonl:" + std::to_string(line) + ": "));
  EXPECT_FALSE(test::contains(message, "rows.jsonl:12"));
  EXPECT_TRUE(test::contains(message, "There may be more"));
}

TEST_F(TokenRows, OfSeveralFilesKeepTheirOrder) {
  const auto a = folder_.write("a.jsonl", "{\"input_ids\":[1,2]}\n").string();
  const auto b = folder_.write("b.jsonl", "{\"input_ids\":[3,4]}\n").string();
  const Dataset dataset = load({b, a}, options_, tools_, 0);
  EXPECT_EQ(dataset.example(0).ids, (std::vector<std::int32_t>{3, 4}));
  EXPECT_EQ(dataset.where(1), a + ":1");
  EXPECT_EQ(dataset.info().sha256, sha256_hex(sha256_file(b) + "\n" + sha256_file(a) + "\n"));
}

TEST_F(TokenRows, OfUnknownFormatAreRefusedWithTheirKeys) {
  const std::string message = refusal(R"({"dialogue":[],"id":1})");
  EXPECT_TRUE(test::contains(message, "rows.jsonl:1: "));
  EXPECT_TRUE(test::contains(message, "its keys are \"dialogue\", \"id\""));
  EXPECT_TRUE(test::contains(message, "tokens: \"input_ids\""));
  EXPECT_TRUE(test::contains(refusal(R"({"messages":[],"input_ids":[1]})"), "data.format"));
}

TEST_F(TokenRows, HoldToTheFormatThatIsSet) {
  options_.format = "tokens";
  EXPECT_EQ(read(R"({"messages":[],"input_ids":[1,2]})").size(), 1);
  EXPECT_TRUE(test::contains(refusal(R"({"messages":[]})"), "format tokens"));
}

TEST_F(TokenRows, BeyondTheLimitAreDroppedAndCounted) {
  context_length_ = 3;
  const Dataset dataset = read("{\"input_ids\":[1,2,3,4]}\n{\"input_ids\":[5,6,7]}\n");
  ASSERT_EQ(dataset.size(), 1);
  EXPECT_EQ(dataset.example(0).row, 2);
  EXPECT_EQ(dataset.counts().read, 2);
  EXPECT_EQ(dataset.counts().dropped_overlong, 1);
  EXPECT_EQ(dataset.counts().truncated, 0);
  EXPECT_EQ(dataset.counts().longest, 4);
  EXPECT_EQ(summary(dataset),
            "1 rows, 3 tokens, 2 of them trained on (66.7 %); 1 rows left out as too long");
}

TEST_F(TokenRows, BeyondTheLimitAreCutOnDemand) {
  options_.overlong = "truncate";
  options_.max_length = 3;
  const Dataset dataset = read(
      "{\"input_ids\":[1,2,3,4],\"completion_mask\":[0,0,1,1]}\n"
      "{\"input_ids\":[1,2,3,4],\"completion_mask\":[0,0,0,1]}\n");
  ASSERT_EQ(dataset.size(), 1);
  EXPECT_EQ(dataset.example(0).ids, (std::vector<std::int32_t>{1, 2, 3}));
  EXPECT_EQ(dataset.example(0).weights, (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(dataset.counts().truncated, 1);
  EXPECT_EQ(dataset.counts().dropped_overlong, 1) << "the cut left no trained token";
}

TEST_F(TokenRows, BeyondTheLimitAreSplitSoThatEachTokenIsPredictedOnce) {
  options_.overlong = "split";
  options_.max_length = 3;
  const Dataset dataset = read(
      "{\"input_ids\":[1,2,3,4,5,6]}\n"
      "{\"input_ids\":[1,2,3,4,5],\"completion_mask\":[0,0,0,1,1]}\n"
      "{\"input_ids\":[7,8,9]}\n");
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int64_t i = 0; i < dataset.size(); ++i) rows.push_back(dataset.example(i).ids);
  EXPECT_EQ(rows, (std::vector<std::vector<std::int32_t>>{
                      {1, 2, 3}, {3, 4, 5}, {5, 6}, {3, 4, 5}, {7, 8, 9}}));
  EXPECT_EQ(dataset.totals().trained_tokens, 5 + 2 + 2);
  EXPECT_EQ(dataset.example(3).weights, (std::vector<float>{0, 1, 1}))
      << "the part without any goes";
  EXPECT_EQ(dataset.where(2), dataset.where(0));
  EXPECT_EQ(dataset.counts().split, 2);
  EXPECT_EQ(dataset.counts().read, 3);
}

TEST_F(TokenRows, BeyondTheLimitAreRefusedOnDemand) {
  options_.overlong = "error";
  options_.max_length = 2;
  EXPECT_TRUE(test::contains(refusal(R"({"input_ids":[1,2,3]})"),
                             "rows.jsonl:1: the row has 3 tokens, more than 2"));
}

TEST_F(TokenRows, HaveToLeaveSomethingToTrainOn) {
  EXPECT_TRUE(test::contains(refusal("\n\n"), "rows.jsonl: no rows"));
  options_.max_length = 2;
  EXPECT_TRUE(test::contains(refusal(R"({"input_ids":[1,2,3]})"), "the longest has 3"));
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { load({}, options_, tools_, 0); }),
                             "no file of rows"));
}

}  // namespace
}  // namespace hone::datasets
