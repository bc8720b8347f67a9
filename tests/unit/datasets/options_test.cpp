#include "datasets/options.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "config/load.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

TEST(DataOptions, HaveDefaults) {
  test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", "").string();
  const DataOptions options = config::parse<DataOptions>("train: " + rows, "c.yaml").options;
  EXPECT_EQ(options.train, std::vector<std::string>{rows});
  EXPECT_TRUE(options.eval.empty());
  EXPECT_EQ(options.format, "auto");
  EXPECT_EQ(options.max_length, std::nullopt);
  EXPECT_EQ(options.overlong, "drop");
  EXPECT_EQ(options.train_on, std::vector<std::string>{"all"});
  EXPECT_EQ(options.prompt_loss_weight, 0);
  EXPECT_TRUE(options.shuffle);
  EXPECT_TRUE(options.mask_contract);
}

TEST(DataOptions, RefuseWhatCannotBe) {
  const std::string message = test::message_of<ConfigError>([] {
    config::parse<DataOptions>(
        "train: nowhere.jsonl\nmax_length: 1\noverlong: cut\nprompt_loss_weight: 2\n", "c.yaml");
  });
  EXPECT_TRUE(test::contains(message, "c.yaml:1: train: "));
  EXPECT_TRUE(test::contains(message, "c.yaml:2: max_length: "));
  EXPECT_TRUE(test::contains(message, "c.yaml:3: overlong: "));
  EXPECT_TRUE(test::contains(message, "c.yaml:4: prompt_loss_weight: "));
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([] { config::parse<DataOptions>("shuffle: false", "c.yaml"); }),
      "train: has to be set"));
}

TEST(DataOptions, RefuseWhatDoesNotGoTogether) {
  test::TempFolder folder;
  const std::string train = "train: " + folder.write("rows.jsonl", "").string();
  const std::string message = test::message_of<ConfigError>([&] {
    config::parse<DataOptions>(
        train + "\nmin_trained_share: 0.5\nmax_trained_share: 0.25\ntemplate: none.jinja\n",
        "c.yaml");
  });
  EXPECT_TRUE(test::contains(message, "c.yaml:2: min_trained_share: 0.5 is above"));
  EXPECT_TRUE(test::contains(message, "c.yaml:4: template: "));
}

}  // namespace
}  // namespace hone::datasets
