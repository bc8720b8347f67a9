#include "adapters/fake_quantized.h"

#include <ATen/ops/linear.h>

#include "adapters/adapter.h"
#include "base/error.h"
#include "config/load.h"
#include "kernels/packed/packed.h"
#include "model/load.h"
#include "quant/integer_groups.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using quant::Format;
using quant::Recipe;

std::vector<Recipe> recipes() {
  return {{.format = Format::kNf4},
          {.format = Format::kFp4, .double_quantization = false},
          {.format = Format::kInt8},
          {.format = Format::kInt4, .blocksize = 32},
          {.format = Format::kInt4, .blocksize = 32, .symmetric = false},
          {.format = Format::kInt8Group, .blocksize = 32}};
}

/// A layer that is trained whole, as full fine-tuning has it.
model::Linear trained_layer(bool with_bias = true) {
  torch::manual_seed(4);
  model::Linear layer;
  layer.name = "model.layers.0.mlp.up_proj";
  layer.weight = (torch::randn({24, 64}) * 0.1).requires_grad_();
  if (with_bias) layer.bias = torch::randn({24}).requires_grad_();
  return layer;
}

std::shared_ptr<FakeQuantization> fake_quantization(const Recipe& recipe,
                                                    std::vector<Tensor> parameters) {
  const auto how = std::make_shared<FakeQuantization>();
  how->recipe = recipe;
  how->parameters = std::move(parameters);
  how->begin_step(0);
  return how;
}

TEST(FakeQuantized, ComputesToTheBitWhatThePackedLayerDoes) {
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16})
    for (const Recipe& recipe : recipes()) {
      model::Linear layer = trained_layer();
      add_fake_quantization(layer, fake_quantization(recipe, {layer.weight, layer.bias}));
      const Tensor x = torch::randn({5, 64}).to(dtype);
      const Tensor trained = layer(x);
      model::Linear served = layer;
      ASSERT_TRUE(pack_fake_quantized(served));
      EXPECT_TRUE(served.packed && !served.adapter && !served.weight.defined());
      EXPECT_TRUE(at::equal(trained, served(x))) << quant::describe(recipe);
      const Tensor numbers =
          kernels::dequantize(quant::quantize(layer.weight.detach(), recipe), torch::kFloat32);
      EXPECT_TRUE(at::equal(numbers, kernels::dequantize(*served.packed, torch::kFloat32)));
    }
}

TEST(FakeQuantized, GradientsGoStraightThroughButWhereNumbersAreCut) {
  for (const Recipe& recipe : recipes()) {
    model::Linear layer = trained_layer();
    add_fake_quantization(layer, fake_quantization(recipe, {layer.weight, layer.bias}));
    const Tensor x = torch::randn({5, 64}).requires_grad_(), g = torch::randn({5, 24});
    layer(x).backward(g);

    const kernels::PackedMatrix packed = quant::quantize(layer.weight.detach(), recipe);
    const Tensor numbers = kernels::dequantize(packed, torch::kFloat32);
    Tensor expected = g.t().mm(x.detach());
    if (quant::is_integer_group(recipe.format)) {
      const Tensor cut = quant::places_cut(layer.weight.detach(), packed);
      // With a zero point both ends are in reach, but for rounding.
      if (recipe.symmetric) {
        EXPECT_GT(cut.numel(), 0) << quant::describe(recipe);
      }
      expected.view({-1}).index_fill_(0, cut, 0);
    }
    EXPECT_TRUE(at::allclose(layer.weight.grad(), expected, 1e-6, 1e-7)) << quant::describe(recipe);
    EXPECT_TRUE(at::allclose(x.grad(), g.mm(numbers), 1e-5, 1e-6)) << quant::describe(recipe);
    EXPECT_TRUE(at::allclose(layer.bias.grad(), g.sum(0), 1e-6, 1e-7));
  }
}

TEST(FakeQuantized, BeginsAfterSoManySteps) {
  model::Linear layer = trained_layer();
  const Tensor x = torch::randn({3, 64});
  const Tensor exact = layer(x);
  const auto how = fake_quantization({.format = Format::kNf4}, {layer.weight, layer.bias});
  how->after_steps = 2;
  add_fake_quantization(layer, how);
  for (const std::int64_t step : {0, 1, 2}) {
    how->begin_step(step);
    EXPECT_TRUE(at::equal(layer(x), exact)) << step;
  }
  how->begin_step(3);
  EXPECT_FALSE(at::equal(layer(x), exact));
}

TEST(FakeQuantized, FollowsItsParameters) {
  model::Linear layer = trained_layer();
  const Recipe recipe{.format = Format::kInt4, .blocksize = 32};
  add_fake_quantization(layer, fake_quantization(recipe, {layer.weight, layer.bias}));
  const torch::NoGradGuard no_grad;
  const Tensor x = torch::randn({3, 64});
  const Tensor before = layer(x);
  layer.weight.mul_(1.7);
  const Tensor after = layer(x);
  EXPECT_FALSE(at::equal(before, after));
  model::Linear served = layer;
  pack_fake_quantized(served);
  EXPECT_TRUE(at::equal(after, served(x)));
}

TEST(FakeQuantized, PacksAnAdapterWithItsBase) {
  model::Decoder decoder = model::load_decoder(test::fixture("models/llama"), {});
  auto options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = 4;
  Adapter adapter = make_adapter(decoder, options, 1);
  std::vector<Tensor> parameters;
  for (NamedTensor& named : adapter.state()) {
    const torch::NoGradGuard no_grad;
    named.tensor.normal_(0, 0.1);  // B begins as zeros, which would change nothing
    parameters.push_back(named.tensor.requires_grad_());
  }
  attach(adapter, decoder);
  model::Linear& layer = decoder.layers[0].q_proj;
  const Tensor merged = layer.adapter->merged_weight(layer).detach();
  const Recipe recipe{.format = Format::kInt4, .blocksize = 32};
  add_fake_quantization(layer, fake_quantization(recipe, parameters));

  const Tensor x = torch::randn({5, 64});
  const Tensor y = layer(x);
  const Tensor numbers = kernels::dequantize(quant::quantize(merged, recipe), torch::kFloat32);
  EXPECT_TRUE(at::allclose(y, at::linear(x, numbers), 1e-5, 1e-6));
  model::Linear served = layer;
  ASSERT_TRUE(pack_fake_quantized(served));
  EXPECT_TRUE(at::equal(y, served(x)));

  // dL/dA = s Bᵀ dL/dW, with dL/dW cut as that of a whole weight
  const Tensor g = torch::randn({5, 64});
  y.backward(g);
  Tensor of_weight = g.t().mm(x);
  of_weight.view({-1}).index_fill_(0, quant::places_cut(merged, quant::quantize(merged, recipe)),
                                   0);
  const Tensors& own = adapter.modules.front().tensors;
  const Tensor &a = own.at("lora_A.weight"), &b = own.at("lora_B.weight");
  const double scaling = options.lora_alpha / 4;
  EXPECT_TRUE(at::allclose(a.grad(), b.detach().t().mm(of_weight) * scaling, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(b.grad(), of_weight.mm(a.detach().t()) * scaling, 1e-4, 1e-5));
}

TEST(FakeQuantized, RefusesRowsThatDoNotDivide) {
  model::Linear layer = trained_layer();
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] {
                               add_fake_quantization(
                                   layer, fake_quantization(
                                              {.format = Format::kInt4, .blocksize = 128}, {}));
                             }),
                             "model.layers.0.mlp.up_proj: its rows have 64 weights"));
}

}  // namespace
}  // namespace hone::adapters
