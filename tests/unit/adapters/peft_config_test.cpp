// What PEFT's LoraConfig has and hone does not compute: refused by name, never passed over.

#include <gtest/gtest.h>

#include "adapters/adapter.h"
#include "base/error.h"
#include "io/json.h"
#include "model/load.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class LoraConfig : public testing::Test {
 protected:
  template <class Error>
  std::string refused_with(const char* key, const json& value) {
    const test::TempFolder folder;
    fs::copy(test::fixture("adapters/lora"), folder / "adapter");
    json config = io::read_json(folder / "adapter" / "adapter_config.json");
    EXPECT_TRUE(config.contains(key)) << key << " is no key of PEFT's";
    config[key] = value;
    folder.write("adapter/adapter_config.json", config.dump());
    return test::message_of<Error>([&] { load_adapter(folder / "adapter", decoder_); });
  }
  model::Decoder decoder_ = model::load_decoder(test::fixture("adapters/_base_llama"), {});
};

TEST_F(LoraConfig, SettingsThatChangeTheResultAreRefused) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, json>>{{"fan_in_fan_out", true},
                                                 {"layer_replication", {{0, 2}, {1, 2}}},
                                                 {"alora_invocation_tokens", {3, 4}},
                                                 {"use_qalora", true},
                                                 {"use_bdlora", {{"nblocks", 2}}},
                                                 {"arrow_config", {{"top_k", 3}}},
                                                 {"kasa_config", {{"beta", 1e-4}}},
                                                 {"monteclora_config", {{"num_samples", 4}}},
                                                 {"velora_config", {{"scale", 1.0}}},
                                                 {"ensure_weight_tying", true}}) {
    const std::string told = refused_with<DataError>(key, value);
    EXPECT_TRUE(test::contains(told, "hone does not support these settings"));
    EXPECT_TRUE(test::contains(told, std::string(key) + " = "));
  }
}

TEST_F(LoraConfig, InitialisationsThatChangeTheBaseAreRefused) {
  for (const char* name : {"corda", "lora_ga"})
    EXPECT_TRUE(test::contains(refused_with<ConfigError>("init_lora_weights", name),
                               fmt::format("hone does not know `{}`", name)));
}

}  // namespace
}  // namespace hone::adapters
