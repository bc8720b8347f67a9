// Every method against PEFT: the folders of golden/adapters.

#include <nlohmann/json.hpp>

#include "adapters/adapter.h"
#include "adapters/merge.h"
#include "io/json.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
using test::relative_error;

class AdapterParity : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::has_fixture(folder_name())) GTEST_SKIP() << "not in the small set";
    info_ = io::read_json(folder() / "info.json");
  }
  std::string folder_name() const { return std::string("adapters/") + GetParam(); }
  fs::path folder() const { return test::fixture(folder_name()); }
  model::Decoder base() const {
    return model::load_decoder(test::fixture("adapters/" + info_["base"].get<std::string>()), {});
  }
  static test::FixtureBatch batch() {
    return test::flatten(io::SafetensorsFile(test::fixture("adapters/_base_llama/io.safetensors")));
  }
  /// The fixture's logits at the places of the flat batch; rows of virtual tokens stand before.
  Tensor expected_logits(const char* name) const {
    const io::SafetensorsFile outputs(folder() / "io.safetensors");
    const Tensor padded = model::to_tensor(*outputs.find(name));
    const std::int64_t before = info_["virtual_tokens_prepended_to_logits"];
    std::vector<Tensor> rows;
    for (const auto& [r, c] : batch().places) rows.push_back(padded[r][c + before]);
    return torch::stack(rows);
  }

  nlohmann::json info_;
};

TEST_P(AdapterParity, LogitsLossAndGradientsAreThoseOfPeft) {
  model::Decoder decoder = base();
  Adapter adapter = load_adapter(folder(), decoder);
  for (NamedTensor& named : adapter.state())
    if (named.is_trained) named.tensor.requires_grad_();
  attach(adapter, decoder);
  const test::FixtureBatch tokens = batch();
  const Tensor hidden = model::hidden_states(decoder, tokens.tokens);
  EXPECT_LT(relative_error(model::logits(decoder, hidden).detach(), expected_logits("logits")),
            1e-5);

  const Tensor logps = model::token_logps(decoder, hidden, tokens.rows_M, tokens.targets_M);
  Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), double(logps.numel()));
  EXPECT_NEAR(loss.item<double>() / info_["lm_loss"].get<double>(), 1.0, 1e-5);
  if (const Tensor penalty = adapter.penalty(); penalty.defined()) loss = loss + penalty;
  EXPECT_NEAR(loss.item<double>() / info_["loss"].get<double>(), 1.0, 1e-5);
  loss.backward();
  const io::SafetensorsFile grads(folder() / "grads.safetensors");
  std::size_t compared = 0;
  for (const NamedTensor& named : adapter.state()) {
    // A shared tensor's gradient stands under the first module that has it.
    const io::TensorView* view = grads.find(named.name);
    if (view == nullptr)
      for (const io::TensorView& one : grads.tensors())
        if (named.name == "base_model.vblora_vector_bank" &&
            one.name.ends_with("vblora_vector_bank"))
          view = &one;
    if (view == nullptr) continue;
    ASSERT_TRUE(named.tensor.grad().defined()) << named.name;
    // Rows of tokens that the batch does not have: gradients of nothing but zeros.
    const Tensor want = model::to_tensor(*view);
    EXPECT_LE((named.tensor.grad() - want).norm().item<double>(), 1e-4 * want.norm().item<double>())
        << named.name;
    ++compared;
  }
  // The gradients of an encoder, which PEFT does not save: prompt_encoder_test.cpp.
  if (!grads.tensors().front().name.starts_with("prompt_encoder.")) {
    EXPECT_EQ(compared, grads.tensors().size());
  }
}

TEST_P(AdapterParity, SavedFolderHoldsTheSameTensorsUnderTheSameNames) {
  model::Decoder decoder = base();
  const test::TempFolder out;
  const Adapter adapter = load_adapter(folder(), decoder);
  if (adapter.took_over_directions()) GTEST_SKIP() << "saved as plain LoRA";
  save_adapter(adapter, out.path(), "base");
  const io::SafetensorsFile before(folder() / "adapter_model.safetensors"),
      after(out / "adapter_model.safetensors");
  ASSERT_EQ(before.tensors().size(), after.tensors().size());
  for (const io::TensorView& view : before.tensors()) {
    ASSERT_NE(after.find(view.name), nullptr) << view.name;
    EXPECT_TRUE(model::to_tensor(view).equal(model::to_tensor(*after.find(view.name))));
  }
  const nlohmann::json config = io::read_json(out / "adapter_config.json");
  const nlohmann::json original = io::read_json(folder() / "adapter_config.json");
  for (const auto& [key, value] : original.items()) {
    if (key == "target_modules" || key == "base_model_name_or_path") continue;
    EXPECT_TRUE(config.contains(key)) << key;
    // PEFT stores one factor where its CUDA extension is missing, whatever its config says; hone
    // writes how many are there.
    if (key == "boft_n_butterfly_factor") continue;
    EXPECT_EQ(config.value(key, nlohmann::json()), value) << key;
  }
  for (const auto& [key, value] : config.items()) EXPECT_TRUE(original.contains(key)) << key;
}

TEST_P(AdapterParity, MergedLogitsAreThoseOfPeft) {
  const io::SafetensorsFile outputs(folder() / "io.safetensors");
  if (outputs.find("merged_logits") == nullptr) GTEST_SKIP() << "PEFT does not merge it";
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = base();
  Adapter adapter = load_adapter(folder(), decoder);
  merge(adapter, decoder);
  const Tensor hidden = model::hidden_states(decoder, batch().tokens);
  EXPECT_LT(relative_error(model::logits(decoder, hidden), expected_logits("merged_logits")), 1e-5);
}

TEST_P(AdapterParity, SavedAndLoadedAgainItGivesTheSameLogits) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = base();
  const test::TempFolder out;
  save_adapter(load_adapter(folder(), decoder), out.path(), "base");
  Adapter again = load_adapter(out.path(), decoder);
  EXPECT_FALSE(again.took_over_directions());
  attach(again, decoder);
  const Tensor hidden = model::hidden_states(decoder, batch().tokens);
  EXPECT_LT(relative_error(model::logits(decoder, hidden), expected_logits("logits")), 1e-5);
}

TEST_P(AdapterParity, TakenOffItLeavesTheBase) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = base();
  const model::TokenStream tokens = batch().tokens;
  const Tensor before = model::hidden_states(decoder, tokens);
  const Tensor head = decoder.head_weight();
  Adapter adapter = load_adapter(folder(), decoder);
  attach(adapter, decoder);
  detach(adapter, decoder);
  EXPECT_TRUE(model::hidden_states(decoder, tokens).equal(before));
  EXPECT_TRUE(decoder.head_weight().equal(head));
}

INSTANTIATE_TEST_SUITE_P(
    Adapters, AdapterParity,
    testing::Values("adalora", "boft", "boft_butterfly", "dora", "dora_rslora", "experts_both",
                    "experts_down", "experts_renamed", "ia3", "ln_tuning", "loha", "lokr",
                    "lokr_factor", "lora", "lora_bias", "lora_bias_all", "lora_embedding",
                    "lora_patterns", "oft", "oft_coft", "oft_coft_shared", "oft_neumann", "olora",
                    "p_tuning", "p_tuning_lstm", "pissa", "prefix_projection", "prefix_tuning",
                    "prompt_tuning", "rslora", "trainable_tokens", "vblora", "vera"),
    [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::adapters
