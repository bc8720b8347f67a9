#include "adapters/loftq.h"

#include <ATen/ops/linalg_svd.h>

#include "config/load.h"
#include "io/json.h"
#include "model/load.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

const quant::Recipe kNf4{
    .format = quant::Format::kNf4, .blocksize = 64, .double_quantization = true};

Tensor packed_and_back(const Tensor& weight) {
  return kernels::dequantize(quant::quantize(weight, kNf4), torch::kFloat32);
}

/// Algorithm 1 of arXiv:2310.08659 in fp64, but for the packing.
Tensor second_implementation(const Tensor& weight, std::int64_t r, std::int64_t rounds) {
  const Tensor exact = weight.to(torch::kFloat64);
  Tensor update = torch::zeros_like(exact), base;
  for (std::int64_t round = 0; round < rounds; ++round) {
    base = packed_and_back((exact - update).to(torch::kFloat32)).to(torch::kFloat64);
    const auto [u, s, vh] = at::linalg_svd(exact - base, false);
    update = (u.narrow(1, 0, r) * s.narrow(0, 0, r)).mm(vh.narrow(0, 0, r));
  }
  return base + update;
}

double error(const Tensor& got, const Tensor& exact) {
  return (got.to(torch::kFloat64) - exact.to(torch::kFloat64)).norm().item<double>();
}

class LoftqRounds : public testing::TestWithParam<int> {};

TEST_P(LoftqRounds, ComeToWhatASecondImplementationComesTo) {
  torch::manual_seed(5);
  const Tensor weight = torch::randn({96, 64});
  const LoftqSplit split = split_by_loftq(weight, kNf4, 8, 2.0, GetParam());
  const Tensor sum =
      packed_and_back(split.packed_from) + split.directions.b.mm(split.directions.a) * 2.0;
  const Tensor expected = second_implementation(weight, 8, GetParam());
  // A number within rounding of the border of two codes may go to either: then a later round sees
  // another remainder.
  EXPECT_NEAR(error(sum, weight) / error(expected, weight), 1, GetParam() == 1 ? 1e-5 : 1e-2);
  if (GetParam() == 1) {
    EXPECT_LT(error(sum, expected), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, LoftqRounds, testing::Values(1, 2, 5));

class LoftqBase : public testing::Test {
 protected:
  std::filesystem::path base_ = test::fixture("adapters/_base_llama");
  model::StoredWeights stored_{base_};
  model::Decoder decoder_ = model::load_decoder(base_, {.quantization = kNf4});
  Adapter adapter_ = [this] {
    AdapterOptions options = config::defaults<AdapterOptions>();
    options.method = "lora";
    options.r = 8;
    options.lora_alpha = 4;
    options.init_lora_weights = "loftq";
    return make_adapter(decoder_, options, 1);
  }();
};

class Loftq : public LoftqBase, public testing::WithParamInterface<int> {};

TEST_P(Loftq, EveryLayerIsNearerItsWeightThanPackedAlone) {
  const auto changed = begin_by_loftq(adapter_, decoder_, stored_, GetParam());
  EXPECT_EQ(changed.has_value(), GetParam() > 1);
  attach(adapter_, decoder_);
  model::for_each_linear(decoder_, [&](const model::Linear& linear) {
    const Tensor exact = stored_.read(linear.name + ".weight");
    const double plain = error(packed_and_back(exact), exact);
    const double now = error(linear.adapter->merged_weight(linear), exact);
    EXPECT_LT(now, 0.9 * plain) << linear.name;
    const bool is_plain =
        kernels::dequantize(*linear.packed, torch::kFloat32).equal(packed_and_back(exact));
    EXPECT_EQ(is_plain, GetParam() == 1) << "the base is the plain one after one round only";
  });
}

INSTANTIATE_TEST_SUITE_P(Counts, Loftq, testing::Values(1, 3));

TEST_F(LoftqBase, IsSavedAsAPlainLora) {
  begin_by_loftq(adapter_, decoder_, stored_, 1);
  const test::TempFolder out;
  save_adapter(adapter_, out.path(), base_.string());
  EXPECT_EQ(io::read_json(out / "adapter_config.json")["init_lora_weights"], true);
  Adapter loaded = load_adapter(out.path(), decoder_);
  for (std::size_t i = 0; i < loaded.modules.size(); ++i)
    for (const auto& [name, tensor] : loaded.modules[i].tensors)
      EXPECT_TRUE(tensor.equal(adapter_.modules[i].tensors.at(name)));
}

TEST_F(LoftqBase, OfABaseThatIsNotPackedIsRefused) {
  model::Decoder plain = model::load_decoder(base_, {});
  const std::string message =
      test::message_of<ConfigError>([&] { begin_by_loftq(adapter_, plain, stored_, 1); });
  EXPECT_TRUE(test::contains(message, "is not packed so"));
}

}  // namespace
}  // namespace hone::adapters
