#include "adapters/stack.h"

#include "adapters/combine.h"
#include "adapters/merge.h"
#include "base/error.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using test::relative_error;

model::Decoder base() { return model::load_decoder(test::fixture("adapters/_base_llama"), {}); }

Tensor logits(const model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  const model::TokenStream tokens{torch::tensor({3, 5, 17, 300, 8, 9, 10, 3, 4}),
                                  torch::tensor({0, 1, 2, 3, 4, 0, 1, 2, 3}),
                                  {0, 5, 9}};
  return model::logits(decoder, model::hidden_states(decoder, tokens));
}

std::vector<Adapter> load(model::Decoder& decoder, const std::vector<const char*>& names) {
  std::vector<Adapter> adapters;
  for (const char* name : names)
    adapters.push_back(load_adapter(test::fixture(std::string("adapters/") + name), decoder));
  return adapters;
}

Tensor stacked(const std::vector<const char*>& names, const std::vector<double>& weights) {
  model::Decoder decoder = base();
  std::vector<Adapter> adapters = load(decoder, names);
  attach_weighted(adapters, weights, decoder);
  return logits(decoder);
}

// PEFT's `cat` of LoRA adapters is their weighted sum, and is held to PEFT elsewhere.
TEST(Stack, OfLoraAdaptersIsTheirConcatenation) {
  model::Decoder decoder = base();
  std::vector<Adapter> plain = load(decoder, {"lora", "lora"});
  for (auto& [name, tensor] : plain[1].modules.front().tensors) tensor = tensor * 2;
  Adapter both = combine(plain, {.type = "cat", .weights = {0.3, -1.5}});
  attach(both, decoder);
  const Tensor want = logits(decoder);
  detach(both, decoder);
  attach_weighted(plain, {0.3, -1.5}, decoder);
  EXPECT_LT(relative_error(logits(decoder), want), 1e-5);  // two sums in another order
}

TEST(Stack, OfOneAdapterWithWeightOneIsTheAdapterAndWithNoneTheBase) {
  model::Decoder decoder = base();
  EXPECT_TRUE(stacked({"dora_rslora"}, {0}).equal(logits(decoder)));
  Adapter adapter = load_adapter(test::fixture("adapters/dora_rslora"), decoder);
  attach(adapter, decoder);
  EXPECT_TRUE(stacked({"dora_rslora"}, {1}).equal(logits(decoder)));
  EXPECT_TRUE(stacked({"dora_rslora", "lora"}, {1, 0}).equal(logits(decoder)));
}

TEST(Stack, TakesDifferentMethodsAndMergesToWhatItComputes) {
  model::Decoder decoder = base();
  std::vector<Adapter> adapters = load(decoder, {"lora", "loha", "vera", "ia3"});
  attach_weighted(adapters, {0.5, 1, 2, 0.25}, decoder);
  const Tensor want = logits(decoder);
  EXPECT_GT(relative_error(want, logits(base())), 1e-2);
  const torch::NoGradGuard no_grad;
  model::for_each_linear(decoder, [](model::Linear& linear) {
    if (!linear.adapter) return;
    const Tensor merged = linear.adapter->merged_weight(linear);
    linear.adapter.reset();
    linear.weight = merged;
  });
  EXPECT_LT(relative_error(logits(decoder), want), 1e-5);
}

TEST(Stack, RefusesWhatCannotBeAddedUp) {
  model::Decoder decoder = base();
  const auto refusal = [&](const std::vector<const char*>& names, std::vector<double> weights) {
    return test::message_of<ConfigError>([&] {
      std::vector<Adapter> adapters = load(decoder, names);
      attach_weighted(adapters, weights, decoder);
    });
  };
  EXPECT_TRUE(test::contains(refusal({"lora", "prompt_tuning"}, {1, 1}), "before every document"));
  EXPECT_TRUE(test::contains(refusal({"ln_tuning", "lora"}, {1, 1}), "weights of its own"));
  EXPECT_TRUE(test::contains(refusal({"trainable_tokens"}, {0.5}), "rows of its own"));
  EXPECT_TRUE(test::contains(refusal({"lora", "loha"}, {1}), "1 weights for 2 adapters"));
}

}  // namespace
}  // namespace hone::adapters
