#include "adapters/relora.h"

#include "config/load.h"
#include "model/load.h"
#include "quant/merge.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

constexpr std::int64_t kEvery = 10;

class Restart : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path base_ = test::fixture("adapters/_base_llama");
  model::TokenStream tokens_{torch::arange(20), torch::arange(20), {0, 20}};

  AdapterOptions options() const {
    AdapterOptions options = config::defaults<AdapterOptions>();
    options.method = GetParam();
    options.r = 4;
    options.relora_steps = kEvery;
    return options;
  }
  static void train(const Adapter& adapter) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(3);
    for (const NamedTensor& named : adapter.state())
      Tensor(named.tensor).add_(torch::randn_like(named.tensor), 0.05);
  }
};

TEST_P(Restart, MovesTheUpdateIntoTheBaseAndDrawsAnew) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = model::load_decoder(base_, {}), shared = decoder;
  Adapter adapter = make_adapter(decoder, options(), 1);
  Relora relora(adapter, decoder, options(), 1);
  attach(adapter, decoder);
  const Tensor at_start = model::hidden_states(decoder, tokens_);
  const Tensor of_base = model::hidden_states(shared, tokens_);
  train(adapter);
  const Tensor before = model::hidden_states(decoder, tokens_);
  const Tensor first_a = adapter.modules[0].tensors.at("lora_A.weight").clone();

  relora.restart(adapter, decoder, kEvery + 1);
  EXPECT_EQ(relora.done(), 1);
  EXPECT_LT(test::relative_error(model::hidden_states(decoder, tokens_), before), 1e-5);
  EXPECT_GT(test::relative_error(before, at_start), 1e-2) << "the update did something";
  EXPECT_TRUE(model::hidden_states(shared, tokens_).equal(of_base))
      << "who shares the base keeps it";
  for (const AdaptedModule& module : adapter.modules)
    EXPECT_EQ(module.tensors.at("lora_B.weight").count_nonzero().item<int>(), 0);
  const Tensor second_a = adapter.modules[0].tensors.at("lora_A.weight").clone();
  EXPECT_FALSE(second_a.equal(first_a));
  relora.restart(adapter, decoder, 2 * kEvery + 1);
  EXPECT_FALSE(second_a.equal(adapter.modules[0].tensors.at("lora_A.weight")));
}

TEST_P(Restart, OfAPackedBasePacksTheSumByItsOwnRecipe) {
  const torch::NoGradGuard no_grad;
  const quant::Recipe nf4{.format = quant::Format::kNf4};
  model::Decoder decoder = model::load_decoder(base_, {.quantization = nf4}), shared = decoder;
  Adapter adapter = make_adapter(decoder, options(), 1);
  Relora relora(adapter, decoder, options(), 1);
  attach(adapter, decoder);
  train(adapter);
  const Site site = adapter.modules[0].site;
  const model::Linear& linear = linear_at(decoder, site);
  const Tensor merged = linear.adapter->merged_weight(linear);
  const quant::Merged expected =
      quant::merge(*linear.packed, merged - base_weight(linear, torch::kFloat32));
  relora.restart(adapter, decoder, kEvery + 1);
  const Tensor now = base_weight(linear, torch::kFloat32);
  // The update is a difference of fp32 numbers: where that rounds, a code may be its neighbour.
  const Tensor other = kernels::dequantize(expected.matrix, torch::kFloat32);
  EXPECT_LT(test::relative_error(now, other), 1e-2);
  EXPECT_LT(test::relative_error(now, merged), 0.15);
  EXPECT_FALSE(now.equal(base_weight(linear_at(shared, site), torch::kFloat32)));
}

TEST_P(Restart, IsDueOnceAfterEachCountOfSteps) {
  model::Decoder decoder = model::load_decoder(base_, {});
  Adapter adapter = make_adapter(decoder, options(), 1);
  Relora relora(adapter, decoder, options(), 1);
  attach(adapter, decoder);
  EXPECT_FALSE(relora.is_due(1));
  EXPECT_FALSE(relora.is_due(kEvery));
  EXPECT_TRUE(relora.is_due(kEvery + 1));
  relora.restart(adapter, decoder, kEvery + 1);
  EXPECT_FALSE(relora.is_due(kEvery + 1)) << "a step that is begun a second time";
  EXPECT_FALSE(relora.is_due(2 * kEvery));
  EXPECT_TRUE(relora.is_due(2 * kEvery + 3)) << "a restart that a rollback undid";
}

INSTANTIATE_TEST_SUITE_P(Methods, Restart, testing::Values("lora", "dora"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::adapters
