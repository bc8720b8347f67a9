#include "adapters/fold.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "config/load.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using test::relative_error;

class Folding : public testing::Test {
 protected:
  const torch::NoGradGuard no_grad_;
  model::Decoder decoder_ = model::load_decoder(test::fixture("adapters/_base_llama"), {});

  static AdapterOptions options() {
    auto options = config::defaults<AdapterOptions>();
    options.method = "lora";
    options.r = 4;
    options.lora_alpha = 6;
    options.target_modules = {"q_proj", "v_proj", "down_proj"};
    return options;
  }

  /// An adapter whose every tensor has numbers that matter.
  Adapter made(const AdapterOptions& options) {
    Adapter adapter = make_adapter(decoder_, options, 1);
    torch::manual_seed(1);
    for (AdaptedModule& module : adapter.modules)
      for (auto& [name, tensor] : module.tensors)
        tensor = tensor + 0.1 * torch::randn_like(tensor) * tensor.std().clamp_min(1);
    return adapter;
  }

  Tensor logits(Adapter& adapter) {
    const test::FixtureBatch batch =
        test::flatten(io::SafetensorsFile(test::fixture("adapters/_base_llama/io.safetensors")));
    attach(adapter, decoder_);
    const Tensor found = model::logits(decoder_, model::hidden_states(decoder_, batch.tokens));
    detach(adapter, decoder_);
    return found;
  }

  void expect_same_when_folded(const AdapterOptions& options, std::int64_t rank) {
    Adapter adapter = made(options);
    EXPECT_TRUE(needs_folding(adapter));
    Adapter folded = fold(adapter);
    EXPECT_FALSE(needs_folding(folded));
    EXPECT_EQ(folded.settings.get<std::int64_t>("r"), rank);
    EXPECT_EQ(folded.settings.get<std::int64_t>("lora_alpha"), rank);
    // Through a folder, as a server would get it.
    const test::TempFolder folder;
    save_adapter(folded, folder.path(), "base");
    Adapter loaded = load_adapter(folder.path(), decoder_);
    for (const AdaptedModule& module : loaded.modules)
      EXPECT_EQ(module.tensors.at("lora_A.weight").size(0), rank);
    EXPECT_LT(relative_error(logits(loaded), logits(adapter)), 1e-6);
  }
};

TEST_F(Folding, OfRsLoraComputesTheSame) {
  AdapterOptions rslora = options();
  rslora.use_rslora = true;
  expect_same_when_folded(rslora, 4);
}

TEST_F(Folding, OfPatternsGivesOneRankAndOneAlpha) {
  AdapterOptions patterns = options();
  patterns.rank_pattern = {{"v_proj", 7}, {"layers\\.0\\.mlp\\.down_proj", 2}};
  patterns.alpha_pattern = {{"q_proj", 24}};
  expect_same_when_folded(patterns, 7);
  patterns.use_rslora = true;
  expect_same_when_folded(patterns, 7);
}

TEST_F(Folding, ScalesTheBiasOfLoraAsWell) {
  AdapterOptions biased = options();
  biased.target_modules = {"q_proj"};
  biased.lora_bias = true;
  biased.use_rslora = true;
  expect_same_when_folded(biased, 4);
}

TEST_F(Folding, OfDoraKeepsItsMagnitudes) {
  AdapterOptions dora = options();
  dora.use_dora = true;
  dora.use_rslora = true;
  expect_same_when_folded(dora, 4);
}

TEST_F(Folding, RefusesAnotherMethod) {
  AdapterOptions other = options();
  other.method = "ia3";
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] { fold(made(other)); }), "ia3"));
}

TEST_F(Folding, FillsTheLayersThatAnAdapterLeavesOut) {
  AdapterOptions some = options();
  some.layers_to_transform = {1};
  Adapter adapter = made(some);
  EXPECT_FALSE(covers_all_layers(adapter, decoder_));
  Adapter covering = cover_all_layers(fold(adapter), decoder_);
  EXPECT_TRUE(covers_all_layers(covering, decoder_));
  const test::TempFolder folder;
  save_adapter(covering, folder.path(), "base");
  Adapter loaded = load_adapter(folder.path(), decoder_);
  EXPECT_EQ(loaded.modules.size(), 3 * decoder_.layers.size());
  EXPECT_LT(relative_error(logits(loaded), logits(adapter)), 1e-6);
}

class PlainLoraNear : public Folding, public testing::WithParamInterface<const char*> {};

/// A rank above what the matrices have is cut to theirs, and nothing is missing then.
TEST_P(PlainLoraNear, OfFullRankComputesTheSame) {
  AdapterOptions method = options();
  method.method = GetParam();
  method.target_modules = {"q_proj"};
  Adapter adapter = made(method);
  PlainLora plain = plain_lora_near(adapter, decoder_, 1000);
  ASSERT_FALSE(plain.errors.empty());
  for (const Nearness& error : plain.errors) EXPECT_LT(error.relative, 1e-5) << error.module;
  EXPECT_LT(relative_error(logits(plain.adapter), logits(adapter)), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Methods, PlainLoraNear,
                         testing::Values("lora", "dora", "loha", "lokr", "adalora"));

TEST_F(Folding, ByALowerRankSaysWhatIsMissing) {
  AdapterOptions dora = options();
  dora.use_dora = true;
  dora.target_modules = {"q_proj"};
  Adapter adapter = made(dora);
  const PlainLora near = plain_lora_near(adapter, decoder_, 3);
  const PlainLora nearer = plain_lora_near(adapter, decoder_, 12);
  ASSERT_EQ(near.errors.size(), decoder_.layers.size());
  for (std::size_t i = 0; i < near.errors.size(); ++i) {
    EXPECT_GT(near.errors[i].relative, nearer.errors[i].relative);
    EXPECT_GT(nearer.errors[i].relative, 0);

    // The error is that of the update itself, here taken from the model's own weights.
    const Site& site = adapter.modules[i].site;
    attach(adapter, decoder_);
    const model::Linear& linear = linear_at(decoder_, site);
    const Tensor change = linear.adapter->merged_weight(linear) - linear.weight;
    detach(adapter, decoder_);
    const Tensors& pair = near.adapter.modules[i].tensors;
    const Tensor missing = change - pair.at("lora_B.weight").mm(pair.at("lora_A.weight"));
    EXPECT_NEAR(near.errors[i].relative, (missing.norm() / change.norm()).item<double>(), 1e-5);
  }
}

}  // namespace
}  // namespace hone::adapters
