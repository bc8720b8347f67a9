#include "export/rules.h"

#include "base/error.h"
#include "config/load.h"
#include "export/options.h"
#include "export/prepare.h"
#include "support/support.h"

namespace hone::exporting {
namespace {

using test::contains;

adapters::AdapterOptions options() {
  auto options = config::defaults<adapters::AdapterOptions>();
  options.method = "lora";
  return options;
}

/// The keys that the warnings for a server name, in the order of its rules.
std::vector<std::string> warned_of(const char* target, const Facts& facts) {
  std::vector<std::string> keys;
  for (const std::string& warning : serving_warnings(target_of(target), facts)) {
    const std::size_t begin = warning.find("trains. ") + 8;
    keys.push_back(warning.substr(begin, warning.find(':', begin) - begin));
  }
  return keys;
}

TEST(ServingRules, LeavePlainLoraAlone) {
  for (const Target& target : targets())
    EXPECT_TRUE(serving_warnings(target, facts_of(options())).empty()) << target.name;
}

TEST(ServingRules, NameTheKeyTheReasonAndTheWayOut) {
  adapters::AdapterOptions dora = options();
  dora.use_dora = true;
  const auto warnings = serving_warnings(target_of("vllm"), facts_of(dora));
  ASSERT_EQ(warnings.size(), 1u);
  for (const char* part : {"vllm", "adapter.use_dora", "refuses DoRA", "peft_helper.py", "--merge"})
    EXPECT_TRUE(contains(warnings.front(), part));
}

TEST(ServingRules, OfVllmRefuseWhatItRefuses) {
  adapters::AdapterOptions many = options();
  many.r = 600;
  many.modules_to_save = {"lm_head"};
  many.bias = "all";
  many.lora_bias = true;
  many.trainable_token_indices = {7};
  EXPECT_EQ(warned_of("vllm", facts_of(many)),
            (std::vector<std::string>{"adapter.r", "adapter.modules_to_save", "adapter.bias",
                                      "adapter.lora_bias", "adapter.trainable_token_indices"}));
  many.r = 512;
  EXPECT_EQ(warned_of("vllm", facts_of(many)).size(), 4u);
  Facts tokens = facts_of(options());
  tokens.brings_tokens = true;
  EXPECT_EQ(warned_of("vllm", tokens), std::vector<std::string>{"model.add_tokens"});
}

TEST(ServingRules, FoldWhatFoldingMends) {
  adapters::AdapterOptions patterns = options();
  patterns.use_rslora = true;
  patterns.rank_pattern = {{"q_proj", 4}};
  patterns.alpha_pattern = {{"v_proj", 4}};
  patterns.layers_to_transform = {1};
  for (const char* target : {"vllm", "tgi", "peft"})
    EXPECT_TRUE(warned_of(target, facts_of(patterns)).empty()) << target;
  EXPECT_EQ(findings(target_of("vllm").rules, facts_of(patterns)).size(), 2u);
  EXPECT_EQ(findings(target_of("tgi").rules, facts_of(patterns)).size(), 2u);
}

TEST(ServingRules, OfAnAdapterSayNothingOfAWholeModel) {
  adapters::AdapterOptions full = options();
  full.method = "full";
  full.use_dora = true;
  EXPECT_TRUE(warned_of("vllm", facts_of(full)).empty());
  adapters::AdapterOptions dora = options();
  dora.use_dora = true;
  EXPECT_TRUE(warned_of("hf", facts_of(dora)).empty());
}

TEST(ServingRules, AreOfTargetsThatThereAre) {
  EXPECT_TRUE(contains(test::message_of<ConfigError>([] { target_of("vlm"); }), "vllm"));
  const auto loaded = config::parse<ServingOptions>("serve_target: tgi", "config.yaml");
  EXPECT_EQ(loaded.options.serve_target, "tgi");
}

}  // namespace
}  // namespace hone::exporting
