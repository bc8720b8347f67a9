#include "config/explain.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "options.h"
#include "support/support.h"

namespace hone::config {
namespace {

using hone::test::contains;
using test::RunOptions;

TEST(Explain, AKey) {
  EXPECT_EQ(explain<RunOptions>("optim.warmup_steps"),
            "optim.warmup_steps: default 0\n    an integer of at least 0, in steps\n    Steps of "
            "warm-up.\n");
  EXPECT_TRUE(contains(explain<RunOptions>("model.base"), "model.base: required\n    a string\n"));
  EXPECT_TRUE(contains(explain<RunOptions>("optim.name"), "one of adamw, sgd, lion"));
  EXPECT_TRUE(
      contains(explain<RunOptions>("data.train"), "a list of existing paths, or a single one"));
}

TEST(Explain, ASectionWithItsRulesAndWhatIsInside) {
  const std::string optim = explain<RunOptions>("optim");
  EXPECT_TRUE(optim.starts_with("optim: How trained parameters are updated.\n"));
  EXPECT_TRUE(contains(optim, "Rule: warmup_steps and warmup_ratio are not both set.\n"));
  EXPECT_FALSE(contains(optim, "model.base"));
  EXPECT_TRUE(contains(explain<RunOptions>("model"), "model.rope_scaling.factor: default 1.0"));
}

TEST(Explain, EverythingNamesEveryKey) {
  const std::string text = explain<RunOptions>();
  for (const std::string& path : RunOptions::table().schema().paths())
    EXPECT_TRUE(contains(text, path + ": "));
}

TEST(Explain, AListOfMappingsShowsWhatEachMayHold) {
  const std::string text = explain<RunOptions>("data.sources");
  EXPECT_TRUE(contains(text, "a list of mappings"));
  EXPECT_TRUE(contains(text, "    data.sources[].weight: default 1.0\n"));
  EXPECT_TRUE(contains(text, "    Rule: a weight above 1 needs a cap.\n"));
  const auto json = nlohmann::json::parse(explain_json<RunOptions>("data.sources"));
  EXPECT_EQ(json["options"][0]["default"], nlohmann::json::array());
  EXPECT_EQ(json["options"][0]["items"][1]["key"], "weight");
}

TEST(Explain, AnUnknownKeyIsRefusedWithTheNearest) {
  EXPECT_EQ(hone::test::message_of<ConfigError>([] { explain<RunOptions>("learningrate"); }),
            "learningrate: no such key; did you mean optim.learning_rate?");
  EXPECT_TRUE(contains(hone::test::message_of<ConfigError>([] { explain_json<RunOptions>("zzz"); }),
                       "no such key"));
}

TEST(ExplainJson, SaysTheSameToPrograms) {
  const auto json = nlohmann::json::parse(explain_json<RunOptions>("optim"));
  ASSERT_EQ(json["sections"].size(), 1u);
  EXPECT_EQ(json["sections"][0]["rules"][0], "warmup_steps and warmup_ratio are not both set.");
  ASSERT_EQ(json["options"].size(), 7u);
  EXPECT_EQ(json["options"][0]["choices"], (std::vector<std::string>{"adamw", "sgd", "lion"}));
  const auto& rate = json["options"][1];
  EXPECT_EQ(rate["key"], "optim.learning_rate");
  EXPECT_EQ(rate["type"], "number");
  EXPECT_EQ(rate["default"], 2e-4);
  EXPECT_EQ(rate["exclusiveMinimum"], 0);
  EXPECT_EQ(rate["maximum"], 1);
  EXPECT_EQ(json["options"][5]["unit"], "steps");
  const auto whole = nlohmann::json::parse(explain_json<RunOptions>());
  EXPECT_EQ(whole["options"].size(), RunOptions::table().schema().fields.size());
  EXPECT_TRUE(whole["options"][1]["required"]);
  EXPECT_FALSE(whole["options"][1].contains("default"));
}

}  // namespace
}  // namespace hone::config
