#include "datasets/mixture.h"

#include <cmath>

#include "base/error.h"
#include "config/load.h"
#include "datasets/options.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using test::contains;

/// The data section of a config whose files are all there.
class Mixture : public testing::Test {
 protected:
  Mixture() {
    for (const char* name : {"a.jsonl", "b.jsonl", "c.jsonl"}) folder_.write(name, "{}\n");
  }

  DataOptions parse(std::string yaml) const {
    for (std::size_t at = 0; (at = yaml.find("DIR", at)) != std::string::npos;)
      yaml.replace(at, 3, folder_.path().string());
    return config::parse<DataOptions>(yaml, "run.yaml").options;
  }
  std::string refusal(const std::string& yaml) const {
    return test::message_of<ConfigError>([&] { parse(yaml); });
  }

  test::TempFolder folder_;
};

constexpr const char* kThree =
    "sources:\n"
    "  - {name: a, files: DIR/a.jsonl, weight: 3}\n"
    "  - {name: b, files: [DIR/b.jsonl], max_rows: 20}\n"
    "  - {name: c, files: DIR/c.jsonl, weight: 1, format: messages}\n";

TEST_F(Mixture, SourcesAreRangesInTheirOrder) {
  const DataOptions options = parse(std::string(kThree) + "mix_strategy: all_exhausted\n");
  const std::vector<Stage> stages = stages_of(options, {100, 50, 10});
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].mixing, Mixing::kAllExhausted);
  ASSERT_EQ(stages[0].sources.size(), 3u);
  EXPECT_EQ(stages[0].sources[1].begin, 100);
  EXPECT_EQ(stages[0].sources[1].size, 50);
  EXPECT_EQ(stages[0].sources[1].max_rows, 20);
  EXPECT_EQ(stages[0].sources[2].begin, 150);
  // Without a weight of its own a source weighs the rows that it gives.
  EXPECT_EQ(stages[0].sources[0].weight, 3);
  EXPECT_EQ(stages[0].sources[1].weight, 20);
  EXPECT_EQ(stages[0].sources[2].weight, 1);
}

TEST_F(Mixture, TheTemperatureFlattensTheWeights) {
  const DataOptions options =
      parse(std::string(kThree) + "mix_strategy: first_exhausted\nmix_temperature: 2\n");
  const std::vector<Stage> stages = stages_of(options, {100, 50, 10});
  EXPECT_DOUBLE_EQ(stages[0].sources[0].weight, std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(stages[0].sources[1].weight, std::sqrt(20.0));
}

TEST_F(Mixture, StagesNameTheirSourcesAndMayWeighThemAnew) {
  const DataOptions options = parse(std::string(kThree) +
                                    "stages:\n"
                                    "  - {sources: a, epochs: 0.5}\n"
                                    "  - {mix_strategy: first_exhausted, weights: {a: 1, c: 9}}\n");
  const std::vector<Stage> stages = stages_of(options, {100, 50, 10});
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].sources.size(), 1u);
  EXPECT_EQ(stages[0].passes, 0.5);
  EXPECT_EQ(stages[0].mixing, Mixing::kConcat);
  ASSERT_EQ(stages[1].sources.size(), 3u);
  EXPECT_EQ(stages[1].sources[0].weight, 1);
  EXPECT_EQ(stages[1].sources[1].weight, 20);
  EXPECT_EQ(stages[1].sources[2].weight, 9);
  EXPECT_EQ(RowOrder(stages, 1, true).row(0, 0) < 100, true);
}

TEST_F(Mixture, TrainAloneIsOneSourceInOnePass) {
  const std::vector<Stage> stages = stages_of(parse("train: DIR/a.jsonl"), {12});
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].sources[0].size, 12);
  EXPECT_EQ(stages[0].mixing, Mixing::kConcat);
}

TEST_F(Mixture, WhatDoesNotFitTogetherIsRefused) {
  EXPECT_TRUE(contains(refusal("shuffle: true"), "train: has to be set, or sources has"));
  EXPECT_TRUE(contains(refusal("train: DIR/a.jsonl\nsources: [{name: a, files: DIR/a.jsonl}]"),
                       "train: sources is set as well"));
  EXPECT_TRUE(contains(refusal("sources: [{name: a, files: DIR/a.jsonl}, {name: a, files: "
                               "DIR/b.jsonl}]"),
                       "\"sources[1].name\": a source before is called a as well"));
  EXPECT_TRUE(contains(refusal("sources: [{name: a, files: DIR/a.jsonl, weight: 2}]"),
                       "\"sources[0].weight\": concat takes every row once"));
  EXPECT_TRUE(contains(refusal("sources: [{name: alpha, files: DIR/a.jsonl}]\n"
                               "stages: [{sources: [alhpa]}]"),
                       "\"stages[0].sources\": there is no source alhpa; did you mean alpha?"));
  EXPECT_TRUE(contains(refusal("sources: [{name: a, files: DIR/a.jsonl}]\n"
                               "stages: [{weights: {a: 2}}]"),
                       "\"stages[0].weights\": concat takes every row once"));
  EXPECT_TRUE(contains(refusal("train: DIR/a.jsonl\nstages: [{epochs: 2}]"),
                       "stages: stages are made of sources"));
  EXPECT_TRUE(contains(refusal("sources: [{name: a, files: DIR/none.jsonl}]"), "there is no file"));
}

}  // namespace
}  // namespace hone::datasets
