#include "adapters/lora.h"

#include <nlohmann/json.hpp>

#include "adapters/lora_linear.h"
#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "io/json.h"
#include "kernels/packed/packed.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "quant/quantize.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
using test::relative_error;

model::Decoder base() { return model::load_decoder(test::fixture("adapters/_base_llama"), {}); }

class LoraParity : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::has_fixture(folder_name())) GTEST_SKIP() << "not in the small set";
  }
  std::string folder_name() const { return std::string("adapters/") + GetParam(); }
  fs::path folder() const { return test::fixture(folder_name()); }
};

TEST_P(LoraParity, LogitsLossAndGradientsAreThoseOfPeft) {
  model::Decoder decoder = base();
  const Lora lora = load_lora(folder(), decoder);
  for (const LoraLayer& layer : lora.layers) {
    layer.a.requires_grad_();
    layer.b.requires_grad_();
  }
  attach(lora, decoder);
  const io::SafetensorsFile inputs(test::fixture("adapters/_base_llama/io.safetensors"));
  const io::SafetensorsFile outputs(folder() / "io.safetensors"),
      grads(folder() / "grads.safetensors");
  const test::FixtureBatch batch = test::flatten(inputs);
  const Tensor hidden = model::hidden_states(decoder, batch.tokens);
  const Tensor expected = model::to_tensor(*outputs.find("logits"));
  std::vector<Tensor> rows;
  for (const auto& [r, c] : batch.places) rows.push_back(expected[r][c]);
  EXPECT_LT(relative_error(model::logits(decoder, hidden).detach(), torch::stack(rows)), 1e-5);

  const Tensor logps = model::token_logps(decoder, hidden, batch.rows_M, batch.targets_M);
  const Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), double(logps.numel()));
  loss.backward();
  const double expected_loss = io::read_json(folder() / "info.json")["loss"];
  EXPECT_NEAR(loss.item<double>() / expected_loss, 1.0, 1e-5);
  for (const LoraLayer& layer : lora.layers) {
    for (const auto& [suffix, tensor] : {std::pair{"A", layer.a}, std::pair{"B", layer.b}}) {
      const std::string name =
          fmt::format("base_model.model.{}.lora_{}.weight", layer.module, suffix);
      EXPECT_LT(relative_error(tensor.grad(), model::to_tensor(*grads.find(name))), 1e-4) << name;
    }
  }
}

TEST_P(LoraParity, SavedFolderHoldsTheSameTensorsUnderTheSameNames) {
  model::Decoder decoder = base();
  const test::TempFolder out;
  save_lora(load_lora(folder(), decoder), out.path(), "base");
  const io::SafetensorsFile before(folder() / "adapter_model.safetensors"),
      after(out / "adapter_model.safetensors");
  ASSERT_EQ(before.tensors().size(), after.tensors().size());
  for (const io::TensorView& view : before.tensors()) {
    ASSERT_NE(after.find(view.name), nullptr) << view.name;
    EXPECT_TRUE(model::to_tensor(view).equal(model::to_tensor(*after.find(view.name))));
  }
  const nlohmann::json config = io::read_json(out / "adapter_config.json");
  const nlohmann::json original = io::read_json(folder() / "adapter_config.json");
  for (const char* key : {"peft_type", "r", "lora_alpha", "use_rslora", "task_type", "bias"})
    EXPECT_EQ(config[key], original[key]) << key;
}

INSTANTIATE_TEST_SUITE_P(Adapters, LoraParity, testing::Values("lora", "rslora"));

Tensor reference(const Tensor& x, const Tensor& w, const Tensor& a, const Tensor& b, double s) {
  return x.mm(w.t()) + s * x.mm(a.t()).mm(b.t());
}

TEST(LoraLinear, GradientsAreThoseOfTheComposite) {
  const auto f64 = torch::kFloat64;
  torch::manual_seed(1);
  const Tensor w = torch::randn({7, 5}, f64), g = torch::randn({6, 7}, f64);
  const auto leaves = [&] {
    torch::manual_seed(2);
    return std::vector<Tensor>{torch::randn({6, 5}, f64).requires_grad_(),
                               torch::randn({3, 5}, f64).requires_grad_(),
                               torch::randn({7, 3}, f64).requires_grad_()};
  };
  const auto ours = leaves(), theirs = leaves();
  const Tensor y = lora_linear(ours[0], model::FrozenWeight(w), {}, ours[1], ours[2], 0.5, 0.0, {});
  const Tensor expected = reference(theirs[0], w, theirs[1], theirs[2], 0.5);
  EXPECT_TRUE(torch::allclose(y, expected, 1e-12, 1e-12));
  y.backward(g);
  expected.backward(g);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(torch::allclose(ours[i].grad(), theirs[i].grad(), 1e-12, 1e-12)) << i;
}

TEST(LoraLinear, DropoutActsOnTheUpdateOnlyAndItsGradientIsConsistent) {
  torch::manual_seed(3);
  const auto f64 = torch::kFloat64;
  const Tensor w = torch::randn({4, 8}, f64), a = torch::randn({2, 8}, f64),
               b = torch::randn({4, 2}, f64), g = torch::randn({5, 4}, f64);
  const Tensor x = torch::randn({5, 8}, f64).requires_grad_();
  const kernels::DropoutKey key{11, 2, 3, 0};
  const Tensor y = lora_linear(x, model::FrozenWeight(w), {}, a, b, 2.0, 0.5, key);
  const Tensor expected = x.mm(w.t()) + 2.0 * kernels::dropout(x, 0.5, key).mm(a.t()).mm(b.t());
  EXPECT_TRUE(torch::allclose(y, expected, 1e-12, 1e-12));
  y.backward(g);
  const Tensor grad = x.grad().clone();
  x.mutable_grad().reset();
  expected.backward(g);
  EXPECT_TRUE(torch::allclose(grad, x.grad(), 1e-12, 1e-12));
}

/// The same layer with its weight packed, and with what it was packed to.
struct TwoBases {
  model::Linear packed, dense;
};
TwoBases two_bases(quant::Format format, torch::Dtype dtype) {
  torch::manual_seed(5);
  TwoBases bases;
  bases.packed.packed = std::make_shared<kernels::PackedMatrix>(
      quant::quantize(torch::randn({37, 51}), {.format = format}));
  bases.dense.weight = kernels::dequantize(*bases.packed.packed, dtype);
  bases.packed.bias = bases.dense.bias = torch::randn({37}, dtype);
  return bases;
}

TEST(LoraLinear, OverAPackedBaseIsLoraOverItsNumbers) {
  for (const quant::Format format : {quant::Format::kNf4, quant::Format::kInt8})
    for (const double dropout : {0.0, 0.5}) {
      const TwoBases bases = two_bases(format, torch::kFloat32);
      std::vector<std::vector<Tensor>> results;
      for (const model::Linear* base : {&bases.packed, &bases.dense}) {
        torch::manual_seed(6);
        const Tensor x = torch::randn({6, 51}).requires_grad_();
        const Tensor a = torch::randn({3, 51}).requires_grad_();
        const Tensor b = torch::randn({37, 3}).requires_grad_();
        const Tensor y = lora_linear(x, *base, base->bias, a, b, 0.5, dropout, {1, 2, 3, 0});
        y.backward(torch::randn({6, 37}));
        results.push_back({y.detach(), x.grad(), a.grad(), b.grad()});
      }
      for (std::size_t i = 0; i < results[0].size(); ++i)
        EXPECT_TRUE(results[0][i].equal(results[1][i])) << quant::format_name(format) << " " << i;
    }
}

TEST(PackedLinear, GradientsAreThoseOfItsNumbers) {
  const TwoBases bases = two_bases(quant::Format::kFp4, torch::kFloat64);
  std::vector<std::vector<Tensor>> results;
  for (const model::Linear* base : {&bases.packed, &bases.dense}) {
    torch::manual_seed(6);
    const Tensor x = torch::randn({6, 51}, torch::kFloat64).requires_grad_();
    model::Linear layer = *base;
    layer.bias = base->bias.clone().requires_grad_();
    const Tensor y = layer(x);
    y.backward(torch::randn({6, 37}, torch::kFloat64));
    results.push_back({y.detach(), x.grad(), layer.bias.grad()});
  }
  for (std::size_t i = 0; i < results[0].size(); ++i)
    EXPECT_TRUE(torch::allclose(results[0][i], results[1][i], 1e-13, 1e-13)) << i;
}

AdapterOptions lora_options() {
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = 4;
  return options;
}

TEST(InitLora, StartsAsTheBaseAndDependsOnTheSeedAlone) {
  model::Decoder decoder = base();
  const model::TokenStream tokens{torch::tensor({3, 4, 5}), torch::tensor({0, 1, 2}), {0, 3}};
  const Tensor before = model::hidden_states(decoder, tokens);
  const Lora lora = init_lora(decoder, lora_options(), 7);
  attach(lora, decoder);
  EXPECT_TRUE(model::hidden_states(decoder, tokens).equal(before));
  EXPECT_TRUE(init_lora(decoder, lora_options(), 7).layers[3].a.equal(lora.layers[3].a));
  EXPECT_FALSE(init_lora(decoder, lora_options(), 8).layers[3].a.equal(lora.layers[3].a));
  EXPECT_FALSE(lora.layers[0].a.equal(lora.layers[1].a));
  // Uniform in ±1/√in: its standard deviation is that bound over √3; 256 numbers, within 15 %.
  const double bound = 1.0 / std::sqrt(double(lora.layers[0].a.size(1)));
  EXPECT_LE(lora.layers[0].a.abs().max().item<double>(), bound);
  EXPECT_NEAR(lora.layers[0].a.std().item<double>(), bound / std::sqrt(3.0), 0.15 * bound);
}

TEST(InitLora, TargetsMatchAsSuffixesAndANameOfNoLayerIsRefused) {
  model::Decoder decoder = base();
  AdapterOptions options = lora_options();
  options.target_modules = {"q_proj", "layers.1.mlp.up_proj"};
  const Lora lora = init_lora(decoder, options, 1);
  const std::size_t layers = decoder.layers.size();
  EXPECT_EQ(lora.layers.size(), layers + 1);
  EXPECT_EQ(lora.options.target_modules,
            (std::vector<std::string>{"model.layers.1.mlp.up_proj", "q_proj"}));
  options.target_modules = {"query"};
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] { init_lora(decoder, options, 1); }),
                             "query"));
}

TEST(LoadLora, RefusesWhatItWouldNotCompute) {
  model::Decoder decoder = base();
  const test::TempFolder out;
  save_lora(init_lora(decoder, lora_options(), 1), out.path(), "base");
  const auto with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json config = io::read_json(out / "adapter_config.json");
    const nlohmann::json before = config[key];
    config[key] = value;
    write_file_atomically(out / "adapter_config.json", config.dump());
    const std::string message =
        test::message_of<DataError>([&] { load_lora(out.path(), decoder); });
    config[key] = before;
    write_file_atomically(out / "adapter_config.json", config.dump());
    return message;
  };
  EXPECT_TRUE(test::contains(with("use_dora", true), "use_dora = true"));
  EXPECT_TRUE(test::contains(with("alpha_pattern", {{"q_proj", 4}}), "alpha_pattern"));
  EXPECT_TRUE(test::contains(with("r", 8), "expected [8, 64]"));
  EXPECT_TRUE(test::contains(with("peft_type", "LOHA"), "LOHA"));
}

}  // namespace
}  // namespace hone::adapters
