// The networks that make virtual tokens, which a folder does not hold, against PEFT's.

#include <gtest/gtest.h>

#include "adapters/adapter.h"
#include "io/json.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "prompt_encoder.";

class PromptEncoder : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return test::fixture(std::string("adapters/") + GetParam()); }
  model::Decoder decoder_ = model::load_decoder(test::fixture("adapters/_base_llama"), {});

  /// An adapter that has the fixture's network, as one that is being trained.
  Adapter training() {
    const nlohmann::json values = io::read_json(folder() / "adapter_config.json");
    Adapter adapter =
        make_adapter(decoder_, *find_peft_type(values["peft_type"].get<std::string>()),
                     Settings(values, "test"), 1);
    const io::SafetensorsFile encoder(folder() / "encoder.safetensors");
    EXPECT_EQ(adapter.virtual_tensors.size(), encoder.tensors().size());
    for (auto& [name, tensor] : adapter.virtual_tensors) {
      const io::TensorView* view = encoder.find(std::string(kPrefix) + name);
      if (view == nullptr) {
        ADD_FAILURE() << name << " is not one of PEFT's";
        continue;
      }
      EXPECT_EQ(tensor.sizes().vec(), view->shape) << name;
      tensor = model::to_tensor(*view);
    }
    return adapter;
  }
};

TEST_P(PromptEncoder, LossAndGradientsAreThoseOfPeft) {
  Adapter adapter = training();
  for (auto& [name, tensor] : adapter.virtual_tensors) tensor.requires_grad_();
  attach(adapter, decoder_);
  const test::FixtureBatch batch =
      test::flatten(io::SafetensorsFile(test::fixture("adapters/_base_llama/io.safetensors")));
  // Twice, as micro-batches are: what is kept between passes must not keep a graph.
  for (int pass = 0; pass < 2; ++pass) {
    for (auto& [name, tensor] : adapter.virtual_tensors) tensor.mutable_grad().reset();
    const Tensor hidden = model::hidden_states(decoder_, batch.tokens);
    const Tensor logps = model::token_logps(decoder_, hidden, batch.rows_M, batch.targets_M);
    const Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), double(logps.numel()));
    const double expected = io::read_json(folder() / "info.json")["loss"].get<double>();
    EXPECT_NEAR(loss.item<double>() / expected, 1.0, 1e-5);
    loss.backward();
    const io::SafetensorsFile grads(folder() / "grads.safetensors");
    for (const auto& [name, tensor] : adapter.virtual_tensors) {
      const Tensor want = model::to_tensor(*grads.find(std::string(kPrefix) + name));
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_LE((tensor.grad() - want).norm().item<double>(), 1e-4 * want.norm().item<double>())
          << name << " in pass " << pass;
    }
  }
}

TEST_P(PromptEncoder, WhatIsSavedIsWhatItMade) {
  const test::TempFolder out;
  save_adapter(training(), out.path(), "base");
  const io::SafetensorsFile saved(out / "adapter_model.safetensors"),
      expected(folder() / "adapter_model.safetensors");
  ASSERT_EQ(saved.tensors().size(), 1u);
  const Tensor want = model::to_tensor(*expected.find("prompt_embeddings"));
  EXPECT_LT(test::relative_error(model::to_tensor(*saved.find("prompt_embeddings")), want), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Networks, PromptEncoder,
                         testing::Values("p_tuning_lstm", "prefix_projection"));

// Dropout between the LSTM's layers follows from seed and step alone.
TEST(PromptEncoderDropout, IsAFunctionOfTheStepAndOffOutsideTraining) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = model::load_decoder(test::fixture("adapters/_base_llama"), {});
  nlohmann::json values =
      io::read_json(test::fixture("adapters/p_tuning_lstm") / "adapter_config.json");
  values["encoder_dropout"] = 0.5;
  Adapter adapter = make_adapter(decoder, *find_method("p_tuning"), Settings(values, "test"), 1);
  const auto state = std::make_shared<DropoutState>();
  attach(adapter, decoder, state);
  const auto rows = [&](bool training, std::uint64_t step) {
    state->training = training;
    state->step = step;
    return decoder.virtual_tokens->embeddings();
  };
  EXPECT_TRUE(rows(true, 1).equal(rows(true, 1)));
  EXPECT_FALSE(rows(true, 1).equal(rows(true, 2)));
  EXPECT_FALSE(rows(true, 1).equal(rows(false, 1)));
  EXPECT_TRUE(rows(false, 1).equal(adapter.exported().front().tensor));
}

}  // namespace
}  // namespace hone::adapters
