#include "adapters/adapter.h"

#include <nlohmann/json.hpp>

#include "adapters/dora_linear.h"
#include "adapters/lora_linear.h"
#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "io/json.h"
#include "kernels/packed/packed.h"
#include "model/load.h"
#include "quant/quantize.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
model::Decoder base() { return model::load_decoder(test::fixture("adapters/_base_llama"), {}); }

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

TEST(DoraLinear, OverAPackedBaseIsDoraOverItsNumbers) {
  const TwoBases bases = two_bases(quant::Format::kNf4, torch::kFloat64);
  std::vector<std::vector<Tensor>> results;
  for (const model::Linear* base : {&bases.packed, &bases.dense}) {
    const auto f64 = torch::kFloat64;
    torch::manual_seed(6);
    const Tensor x = torch::randn({6, 51}, f64).requires_grad_();
    const Tensor a = torch::randn({3, 51}, f64).requires_grad_();
    const Tensor b = torch::randn({37, 3}, f64).requires_grad_();
    const Tensor magnitude = (torch::rand({37}, f64) + 0.5).requires_grad_();
    const auto adapter = dora_adapter({a, b, magnitude, {}}, 0.5, {});
    const Tensor y = adapter->forward(x, *base);
    y.backward(torch::randn({6, 37}, f64));
    results.push_back({y.detach(), x.grad(), a.grad(), b.grad(), magnitude.grad()});
  }
  for (std::size_t i = 0; i < results[0].size(); ++i)
    EXPECT_TRUE(torch::allclose(results[0][i], results[1][i], 1e-12, 1e-12)) << i;
}

// Its node keeps the output where there is no bias, and the product before it where there is one.
TEST(DoraLinear, GradientsAreThoseOfTheCompositeWithABiasAndWithout) {
  const auto f64 = torch::kFloat64;
  torch::manual_seed(5);
  const Tensor w = torch::randn({7, 5}, f64), g = torch::randn({6, 7}, f64);
  for (const Tensor& bias : {Tensor(), 100 * torch::randn({7}, f64)}) {
    const auto leaves = [&] {
      torch::manual_seed(6);
      return std::vector<Tensor>{
          torch::randn({6, 5}, f64).requires_grad_(), torch::randn({3, 5}, f64).requires_grad_(),
          torch::randn({7, 3}, f64).requires_grad_(), torch::randn({7}, f64).requires_grad_()};
    };
    const auto ours = leaves(), theirs = leaves();
    const Tensor norms = (w + 0.5 * theirs[2].mm(theirs[1])).detach().norm(2, 1);
    const Tensor y =
        dora_linear(ours[0], model::FrozenWeight(w), bias, ours[1], ours[2], ours[3], norms, 0.5);
    Tensor expected = reference(theirs[0], w, theirs[1], theirs[2], 0.5) * (theirs[3] / norms);
    if (bias.defined()) expected = expected + bias;
    EXPECT_TRUE(torch::allclose(y, expected, 1e-12, 1e-12));
    y.backward(g);
    expected.backward(g);
    for (int i = 0; i < 3; ++i)
      EXPECT_TRUE(torch::allclose(ours[i].grad(), theirs[i].grad(), 1e-12, 1e-12)) << i;
    // Summed over tokens in f32.
    EXPECT_TRUE(torch::allclose(ours[3].grad(), theirs[3].grad(), 1e-6, 1e-6));
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

const Tensors& tensors_of(const Adapter& adapter, std::size_t module) {
  return adapter.modules[module].tensors;
}

TEST(MakeAdapter, StartsAsTheBaseAndDependsOnTheSeedAlone) {
  model::Decoder decoder = base();
  const model::TokenStream tokens{torch::tensor({3, 4, 5}), torch::tensor({0, 1, 2}), {0, 3}};
  const Tensor before = model::hidden_states(decoder, tokens);
  Adapter adapter = make_adapter(decoder, lora_options(), 7);
  attach(adapter, decoder);
  EXPECT_TRUE(model::hidden_states(decoder, tokens).equal(before));
  detach(adapter, decoder);
  const auto a = [&](std::uint64_t seed, std::size_t module) {
    return tensors_of(make_adapter(decoder, lora_options(), seed), module).at("lora_A.weight");
  };
  EXPECT_TRUE(a(7, 3).equal(tensors_of(adapter, 3).at("lora_A.weight")));
  EXPECT_FALSE(a(8, 3).equal(a(7, 3)));
  EXPECT_FALSE(a(7, 0).equal(a(7, 1)));
  // Uniform in ±1/√in: its standard deviation is that bound over √3; 256 numbers, within 15 %.
  const double bound = 1.0 / std::sqrt(double(a(7, 0).size(1)));
  EXPECT_LE(a(7, 0).abs().max().item<double>(), bound);
  EXPECT_NEAR(a(7, 0).std().item<double>(), bound / std::sqrt(3.0), 0.15 * bound);
}

TEST(MakeAdapter, TargetsMatchAsSuffixes) {
  model::Decoder decoder = base();
  AdapterOptions options = lora_options();
  options.target_modules = {"q_proj", "layers.1.mlp.up_proj"};
  const Adapter adapter = make_adapter(decoder, options, 1);
  EXPECT_EQ(adapter.modules.size(), decoder.layers.size() + 1);
  EXPECT_EQ(adapter.settings.texts("target_modules"),
            (std::vector<std::string>{"model.layers.1.mlp.up_proj", "q_proj"}));
}

/// Which modules are adapted, by their last two names.
std::vector<std::string> chosen(model::Decoder& decoder, const AdapterOptions& options) {
  std::vector<std::string> names;
  for (const AdaptedModule& module : make_adapter(decoder, options, 1).modules)
    names.push_back(module.site.name.substr(std::string("model.layers.").size()));
  return names;
}

TEST(MakeAdapter, LayersPatternsAndExclusionsChooseAsInPeft) {
  model::Decoder decoder = base();
  AdapterOptions options = lora_options();
  options.target_modules = {"q_proj", "down_proj"};
  options.layers_to_transform = {1};
  EXPECT_EQ(chosen(decoder, options),
            (std::vector<std::string>{"1.self_attn.q_proj", "1.mlp.down_proj"}));
  options.layers_pattern = {"layers"};
  options.exclude_modules = {"down_proj"};
  EXPECT_EQ(chosen(decoder, options), (std::vector<std::string>{"1.self_attn.q_proj"}));
  options = lora_options();
  options.target_modules = {".*\\.0\\.(self_attn\\.v_proj|mlp\\.up_proj)"};
  EXPECT_EQ(chosen(decoder, options),
            (std::vector<std::string>{"0.self_attn.v_proj", "0.mlp.up_proj"}));
}

class Refusal : public testing::Test {
 protected:
  std::string message(const AdapterOptions& options) {
    model::Decoder decoder = base();
    return test::message_of<ConfigError>([&] { make_adapter(decoder, options, 1); });
  }
  AdapterOptions options_ = lora_options();
};

TEST_F(Refusal, ATargetThatNamesNothingTellsWhatThereIsAndWhatWasMeant) {
  options_.target_modules = {"q_prj"};
  const std::string told = message(options_);
  EXPECT_TRUE(test::contains(told, "`q_prj` names no module"));
  EXPECT_TRUE(test::contains(told, "did you mean q_proj"));
  EXPECT_TRUE(test::contains(told, "embed_tokens, q_proj, k_proj"));
}

TEST_F(Refusal, APatternThatMatchesNothingOrTakesTheHeadByAccident) {
  options_.target_modules = {"layers\\.\\d+\\.self_attn.*"};  // PEFT matches whole names
  EXPECT_TRUE(test::contains(message(options_), "matches the whole name of no module"));
  options_.target_modules = {".*"};
  EXPECT_TRUE(test::contains(message(options_), "reaches the head lm_head"));
  options_.target_modules = {"(lm_head|.*q_proj)"};
  model::Decoder decoder = base();
  EXPECT_EQ(make_adapter(decoder, options_, 1).modules.size(), decoder.layers.size() + 1);
  options_.target_modules = {"(q_proj"};
  EXPECT_TRUE(test::contains(message(options_), "no regular expression"));
}

TEST_F(Refusal, ARankAboveTheMatrix) {
  options_.r = 33;  // k_proj and v_proj are [32, 64]
  const std::string told = message(options_);
  EXPECT_TRUE(test::contains(told, "rank 33 of model.layers.0.self_attn.k_proj"));
  EXPECT_TRUE(test::contains(told, "has 32"));
  options_.r = 4;
  options_.rank_pattern = {{"down_proj", 65}};
  EXPECT_TRUE(test::contains(message(options_), "rank 65 of model.layers.0.mlp.down_proj"));
}

TEST_F(Refusal, PatternsAndListsThatSayNothingOfTheModel) {
  options_.rank_pattern = {{"layers\\.7\\..*", 2}};
  EXPECT_TRUE(test::contains(message(options_), "rank_pattern: `layers"));
  options_ = lora_options();
  options_.target_modules = {"q_proj"};
  options_.alpha_pattern = {{"v_proj", 2}};
  EXPECT_TRUE(test::contains(message(options_), "adapted modules are: q_proj"));
  options_ = lora_options();
  options_.layers_to_transform = {2};
  EXPECT_TRUE(test::contains(message(options_), "there is no layer 2; this model's are 0 to 1"));
  options_ = lora_options();
  options_.exclude_modules = {"gate"};
  EXPECT_TRUE(test::contains(message(options_), "exclude_modules: `gate`"));
  options_ = lora_options();
  options_.modules_to_save = {"head"};
  EXPECT_TRUE(test::contains(message(options_), "modules_to_save: `head`"));
  options_ = lora_options();
  options_.trainable_token_indices = {3, 320};
  EXPECT_TRUE(test::contains(message(options_),
                             "token 320 of model.embed_tokens is outside the vocabulary of 320"));
}

TEST(LoadAdapter, RefusesWhatItWouldNotCompute) {
  model::Decoder decoder = base();
  const test::TempFolder out;
  save_adapter(make_adapter(decoder, lora_options(), 1), out.path(), "base");
  const auto with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json config = io::read_json(out / "adapter_config.json");
    const nlohmann::json before = config[key];
    config[key] = value;
    write_file_atomically(out / "adapter_config.json", config.dump());
    const std::string message =
        test::message_of<DataError>([&] { load_adapter(out.path(), decoder); });
    config[key] = before;
    write_file_atomically(out / "adapter_config.json", config.dump());
    return message;
  };
  EXPECT_TRUE(test::contains(with("use_qalora", true), "use_qalora = true"));
  EXPECT_TRUE(test::contains(with("use_dora", true), "lora_magnitude_vector is missing"));
  EXPECT_TRUE(test::contains(with("r", 8), "expected [8, 64]"));
  EXPECT_TRUE(test::contains(with("peft_type", "XLORA"), "XLORA"));
  EXPECT_TRUE(test::contains(with("target_modules", {"q_proj"}), "belongs to no module"));
}

TEST(LoadAdapter, RefusesAnAdapterThatWasTrainedOnAnotherBaseOfTheSameSizes) {
  model::Decoder decoder = base();
  const test::TempFolder out;
  save_adapter(make_adapter(decoder, lora_options(), 1), out.path(), "base");
  decoder.embed_tokens = decoder.embed_tokens.to(torch::kBFloat16);
  EXPECT_NO_THROW(load_adapter(out.path(), decoder)) << "the same base in another dtype";
  decoder.embed_tokens = torch::randn_like(decoder.embed_tokens);
  EXPECT_TRUE(test::contains(
      test::message_of<DataError>([&] { load_adapter(out.path(), decoder); }), "another base"));
}

}  // namespace
}  // namespace hone::adapters
