// What the parity fixtures of OFT and BOFT do not show.

#include <gtest/gtest.h>

#include <cmath>

#include "adapters/adapter.h"
#include "base/error.h"
#include "config/load.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/load.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;

model::Decoder base() { return model::load_decoder(test::fixture("adapters/_base_llama"), {}); }

AdapterOptions options_of(const char* method) {
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = method;
  options.target_modules = {"q_proj"};
  return options;
}

/// R of a rotation that adapts the first layer's q_proj.
Tensor rotation(const model::Decoder& decoder) {
  model::Linear identity;
  identity.weight = torch::eye(decoder.spec.hidden_size);
  return decoder.layers[0].q_proj.adapter->forward(torch::eye(decoder.spec.hidden_size), identity);
}

TEST(Boft, FactorsRotateAndReachEveryInputFromEveryOther) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = base();
  AdapterOptions options = options_of("boft");
  options.boft_block_size = 8;
  for (const std::int64_t factors : {1, 2, 3, 4}) {
    options.boft_n_butterfly_factor = factors;
    Adapter adapter = make_adapter(decoder, options, 1);
    torch::manual_seed(4);
    for (AdaptedModule& module : adapter.modules) module.tensors.at("boft_R").normal_(0, 0.5);
    attach(adapter, decoder);
    const Tensor r = rotation(decoder);
    detach(adapter, decoder);
    const Tensor identity = torch::eye(r.size(0));
    EXPECT_TRUE(torch::allclose(r.mm(r.t()), identity, 1e-5, 1e-5)) << factors;
    // f factors over blocks of b: an output depends on 2^(f-1) · b inputs, at most all 64.
    const auto reached = (r.abs() > 1e-9).sum(0).min().item<std::int64_t>();
    EXPECT_EQ(reached, std::int64_t{8} << (factors - 1)) << factors;
  }
}

TEST(Boft, RefusesMoreFactorsThanTheInputsHold) {
  model::Decoder decoder = base();
  AdapterOptions options = options_of("boft");
  options.boft_block_size = 16;
  options.boft_n_butterfly_factor = 4;  // 16 · 2³ inputs, there are 64
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { make_adapter(decoder, options, 1); }),
      "4 factors over blocks of 16 need an even block size, and 128 to divide the 64 inputs"));
}

// PEFT without its extension trains one factor, and writes the config's number all the same.
TEST(Boft, TheFileSaysHowManyFactorsThereAre) {
  const test::TempFolder folder;
  fs::copy(test::fixture("adapters/boft"), folder / "boft");
  nlohmann::json config = io::read_json(folder / "boft" / "adapter_config.json");
  config["boft_n_butterfly_factor"] = 2;
  folder.write("boft/adapter_config.json", config.dump());
  model::Decoder decoder = base();
  const Adapter adapter = load_adapter(folder / "boft", decoder);
  EXPECT_EQ(adapter.modules.front().tensors.at("boft_R").size(0), 1);
  EXPECT_EQ(adapter.settings.get<int>("boft_n_butterfly_factor"), 1);
}

TEST(Coft, PutsBlocksBackOnceAndThenChangesNoBit) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = base();
  AdapterOptions options = options_of("oft");
  options.oft_block_size = 8;
  options.coft = true;
  options.eps = 0.4;
  Adapter adapter = make_adapter(decoder, options, 1);
  Tensor& vectors = adapter.modules.front().tensors.at("oft_R.weight");
  torch::manual_seed(9);
  vectors.copy_(torch::randn_like(vectors) *
                torch::linspace(0.001, 1, vectors.size(0)).unsqueeze(1));
  const Tensor before = vectors.clone();
  attach(adapter, decoder);
  rotation(decoder);
  const Tensor once = vectors.clone();
  const double limit = 0.4 / std::sqrt(double(vectors.size(0)));
  const Tensor norms = once.norm(2, 1) * std::sqrt(2.0);
  EXPECT_LE(norms.max().item<double>(), limit * (1 + 1e-6));
  EXPECT_TRUE(once[0].equal(before[0])) << "a block that is near enough stays";
  EXPECT_FALSE(once[7].equal(before[7]));
  rotation(decoder);
  EXPECT_TRUE(vectors.equal(once));
}

}  // namespace
}  // namespace hone::adapters
