#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/moe.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/support.h"

// Tiny models that transformers made (tests/data/models/llama/README.md says with what).
// HONE_GOLDEN names a set with every family; without it the Llama that is kept here is tested.

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using test::FixtureBatch;
using test::flatten;
using test::relative_error;

/// An expert that no token was sent to has no gradient, or zeros.
void expect_gradient(const WeightSlot& slot, const Tensor& expected) {
  const Tensor got = slot.tensor->grad();
  if (expected.count_nonzero().item<std::int64_t>() == 0) {
    EXPECT_TRUE(!got.defined() || got.count_nonzero().item<std::int64_t>() == 0) << slot.name;
  } else {
    EXPECT_LT(relative_error(got, expected), 1e-4) << slot.name;
  }
}

class ModelParity : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return test::fixture(std::string("models/") + GetParam()); }
  Decoder decoder() const { return load_decoder(folder(), {}); }
};

// fp32 sums of some hundred products, taken in another order: 1e-5 is what rounding may do.
TEST_P(ModelParity, LogitsAgree) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const FixtureBatch batch = flatten(io);
  const Tensor expected = to_tensor(*io.find("logits"));
  const Decoder model = decoder();
  const Tensor got = logits(model, hidden_states(model, batch.tokens));
  std::vector<Tensor> rows;
  for (const auto& [r, c] : batch.places) rows.push_back(expected[r][c]);
  EXPECT_LT(relative_error(got, torch::stack(rows)), 1e-5);
}

/// Every family's layers, its fused projections and its experts among them.
TEST_P(ModelParity, PackedItComputesWithItsPackedNumbers) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const FixtureBatch batch = flatten(io);
  LoadOptions options;
  options.quantization.format = quant::Format::kNf4;
  Decoder packed = load_decoder(folder(), options), dense = decoder();
  std::vector<Linear*> layers;
  for_each_linear(packed, [&](Linear& linear) { layers.push_back(&linear); });
  std::size_t next = 0;
  for_each_linear(dense, [&](Linear& linear) {
    const Linear& twin = *layers.at(next++);
    ASSERT_NE(twin.packed, nullptr) << twin.name;
    ASSERT_FALSE(twin.weight.defined()) << twin.name;
    ASSERT_EQ(twin.out_features(), linear.out_features()) << twin.name;
    linear.weight = dense_weight(twin, torch::kFloat32);
  });
  EXPECT_EQ(next, layers.size());
  EXPECT_LT(relative_error(hidden_states(packed, batch.tokens), hidden_states(dense, batch.tokens)),
            1e-5);
}

TEST_P(ModelParity, LossAndEveryGradientAgree) {
  const io::SafetensorsFile io(folder() / "io.safetensors"), grads(folder() / "grads.safetensors");
  const FixtureBatch batch = flatten(io);
  Decoder model = decoder();
  std::vector<WeightSlot> slots = weight_slots(model);
  for (WeightSlot& slot : slots) slot.tensor->requires_grad_();
  tie_head(model);

  ForwardTrace trace;
  const Tensor hidden = hidden_states(model, batch.tokens, &trace);
  const Tensor logps = token_logps(model, hidden, batch.rows_M, batch.targets_M);
  Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), double(batch.rows_M.numel()));
  const MoeSpec& moe = model.spec.moe;
  if (moe.router_aux_loss_coef > 0)
    loss = loss + moe.router_aux_loss_coef * router_balance_loss(trace.router_logits, moe);
  loss.backward();
  const nlohmann::json info = io::read_json(folder() / "info.json");
  EXPECT_NEAR(loss.item<double>(), info["loss_value"].get<double>(), 1e-5);
  EXPECT_EQ(slots.size(), grads.tensors().size());
  for (const WeightSlot& slot : slots) {
    const io::TensorView* expected = grads.find(slot.name);
    ASSERT_NE(expected, nullptr) << slot.name;
    expect_gradient(slot, to_tensor(*expected));
  }
}

TEST_P(ModelParity, PackedEqualsOneDocumentAtATime) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const TokenStream packed = flatten(io).tokens;
  const Decoder model = decoder();
  const Tensor together = hidden_states(model, packed);
  for (std::size_t d = 0; d + 1 < packed.cu_seqlens.size(); ++d) {
    const std::int64_t begin = packed.cu_seqlens[d], count = packed.cu_seqlens[d + 1] - begin;
    const Tensor alone = hidden_states(model, {packed.ids_N.narrow(0, begin, count),
                                               packed.positions_N.narrow(0, begin, count),
                                               {0, count}});
    EXPECT_LT(relative_error(together.narrow(0, begin, count), alone), 1e-6);
  }
}

// The older spelling of the config (rope_theta, rope_scaling, torch_dtype) means the same model.
TEST_P(ModelParity, BothSpellingsOfTheConfigAgree) {
  if (!fs::exists(folder() / "config.v4.json")) GTEST_SKIP() << "made with transformers 5 only";
  const Spec five = spec_from_config(folder() / "config.json");
  const Spec four = spec_from_config(folder() / "config.v4.json");
  ASSERT_EQ(five.ropes.size(), four.ropes.size());
  for (std::size_t i = 0; i < five.ropes.size(); ++i) {
    EXPECT_EQ(five.ropes[i].theta, four.ropes[i].theta);
    EXPECT_EQ(rope_frequencies(five.ropes[i], 500), rope_frequencies(four.ropes[i], 500));
  }
  for (std::size_t i = 0; i < five.layers.size(); ++i) {
    EXPECT_EQ(five.layers[i].window, four.layers[i].window);
    EXPECT_EQ(five.layers[i].rope, four.layers[i].rope);
  }
  EXPECT_EQ(five.dtype, four.dtype);
}

// A cache fed a few tokens at a time gives the hidden states that a whole pass gives, but where a
// rope stretches with the document: kept keys were turned for the length that it had then, as in
// transformers.
TEST_P(ModelParity, TheCacheContinuesWhereItStopped) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const TokenStream packed = flatten(io).tokens;
  const torch::NoGradGuard no_grad;
  const Decoder model = decoder();
  if (depends_on_length(model.spec.ropes.front())) GTEST_SKIP() << "its keys do not stay the same";
  const std::int64_t count = packed.cu_seqlens[1];
  const Tensor whole = hidden_states(model, packed).narrow(0, 0, count);
  KvCache cache(model.spec, 1);
  std::vector<Tensor> parts;
  for (const auto& [begin, end] :
       {std::pair<std::int64_t, std::int64_t>{0, 5}, {5, 6}, {6, 15}, {15, 16}, {16, count}})
    parts.push_back(extend(model,
                           {packed.ids_N.slice(0, begin, end),
                            packed.positions_N.slice(0, begin, end),
                            {0, end - begin}},
                           cache));
  EXPECT_LT(relative_error(torch::cat(parts), whole), 1e-5);
}

TEST(RewardHead, RewardsAndGradientsAgree) {
  if (!test::has_fixture("models/llama_reward")) GTEST_SKIP() << "HONE_GOLDEN is not set";
  const fs::path folder = test::fixture("models/llama_reward");
  const io::SafetensorsFile io(folder / "io.safetensors"), grads(folder / "grads.safetensors");
  const FixtureBatch batch = flatten(io);
  Decoder model = load_decoder(folder, {});
  std::vector<WeightSlot> slots = weight_slots(model);
  for (WeightSlot& slot : slots) slot.tensor->requires_grad_();
  const std::vector<std::int64_t>& borders = batch.tokens.cu_seqlens;
  const Tensor last =
      torch::tensor(std::vector<std::int64_t>(borders.begin() + 1, borders.end())) - 1;
  const Tensor rewards = scores(model, hidden_states(model, batch.tokens), last).squeeze(1);
  EXPECT_LT(relative_error(rewards, to_tensor(*io.find("rewards"))), 1e-5);
  const Tensor loss = -at::log_sigmoid(rewards.narrow(0, 0, 2) - rewards.narrow(0, 2, 2)).mean();
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), to_tensor(*io.find("loss")).item<double>(), 1e-5);
  EXPECT_EQ(slots.size(), grads.tensors().size());
  for (const WeightSlot& slot : slots) expect_gradient(slot, to_tensor(*grads.find(slot.name)));
}

TEST(ScoringHead, SaysWhatTransformersSaysOfRowsAndTokens) {
  for (const char* name : {"llama_classifier", "qwen2_token_value"}) {
    const fs::path folder = test::fixture(std::string("models/") + name);
    const io::SafetensorsFile io(folder / "io.safetensors");
    const TokenStream tokens = flatten(io).tokens;
    const Decoder model = load_decoder(folder, {});
    const Tensor last = torch::tensor(std::vector<std::int64_t>(tokens.cu_seqlens.begin() + 1,
                                                                tokens.cu_seqlens.end())) -
                        1;
    const Tensor rows = model.spec.scores_tokens ? torch::arange(tokens.ids_N.size(0)) : last;
    const Tensor got = scores(model, hidden_states(model, tokens), rows);
    EXPECT_LT(relative_error(got, to_tensor(*io.find("scores"))), 1e-5) << name;
  }
}

constexpr const char* kModels[] = {"llama", "llama_rope_llama3", "mistral", "qwen2", "qwen3",
                                   "gemma2", "gemma3_text", "phi3", "mixtral", "qwen3_moe",
                                   // Kept here: tests/data/models/make_models.py.
                                   "olmo2", "granite", "smollm3", "llama_linear", "llama_dynamic",
                                   "llama_yarn", "qwen3_yarn", "phi3_longrope", "phi3_partial",
                                   "qwen2_window"};

INSTANTIATE_TEST_SUITE_P(Families, ModelParity, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : kModels)
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::model
