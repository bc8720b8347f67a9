#include "config/table.h"

#include "base/error.h"
#include "config/load.h"
#include "options.h"
#include "support/support.h"

namespace hone::config {
namespace {

struct Plain {
  std::string text;
  std::int64_t number;
};

using Parts = std::initializer_list<Part<Plain>>;

std::string bug_in(Parts parts) {
  return hone::test::message_of<InternalError>([&] { Table<Plain>("plain", "Help.", parts); });
}

TEST(Table, DefaultsComeFromTheTable) {
  const auto options = defaults<test::RunOptions>();
  EXPECT_EQ(options.seed, 42);
  EXPECT_EQ(options.model.base, "");
  EXPECT_EQ(options.model.revision, std::nullopt);
  EXPECT_EQ(options.model.rope_scaling.type, "none");
  EXPECT_EQ(options.data.columns, std::vector<std::string>{"text"});
  EXPECT_EQ(options.data.shares, (std::vector<double>{0.9, 0.1}));
  EXPECT_TRUE(options.data.shuffle);
  EXPECT_EQ(options.optim.learning_rate, 2e-4);
  EXPECT_EQ(options.optim.max_grad_norm, 1.0);
}

TEST(Table, SectionsKeepTheirOrderUnderTheirKeys) {
  const std::vector<std::string> paths = test::RunOptions::table().schema().paths();
  const std::vector<std::string> first(paths.begin(), paths.begin() + 5);
  EXPECT_EQ(first,
            (std::vector<std::string>{"model", "model.rope_scaling", "data", "optim", "seed"}));
  EXPECT_EQ(paths[5], "model.base");
  EXPECT_EQ(paths[8], "model.rope_scaling.type");
}

TEST(Table, RangesIntersect) {
  const Field& rate = test::OptimOptions::table().schema().fields[1];
  EXPECT_EQ(expected(rate), "a number above 0 and of at most 1");
}

TEST(Table, WrongDeclarationsAreFoundAtFirstUse) {
  EXPECT_TRUE(hone::test::contains(bug_in({field("text", &Plain::text, "a")}), "no help"));
  EXPECT_TRUE(
      hone::test::contains(bug_in({field("text", &Plain::text, "a", choices({"b"}), "Help.")}),
                           "the default of option"));
  EXPECT_TRUE(hone::test::contains(
      bug_in({field("number", &Plain::number, 0, at_least(1), "Help.")}), "the default of option"));
  EXPECT_TRUE(hone::test::contains(bug_in({field("text", &Plain::text, "a", at_least(1), "Help.")}),
                                   "not a number"));
  EXPECT_TRUE(hone::test::contains(
      bug_in({field("number", &Plain::number, 1, choices({"1"}), "Help.")}), "not text"));
  EXPECT_TRUE(hone::test::contains(bug_in({field("text", &Plain::text, "a", "Help."),
                                           field("text", &Plain::text, "b", "Help.")}),
                                   "two options or sections are named text"));
}

}  // namespace
}  // namespace hone::config
