#include "optim/optimizer.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "config/load.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "support/support.h"

namespace hone::optim {
namespace {

OptimOptions options_of(const std::string& yaml) {
  return config::parse<OptimOptions>(yaml, "options").options;
}

/// A folder of the fixtures: trajectories that the peers' optimizers made under given gradients.
struct Trajectory {
  explicit Trajectory(const std::string& name)
      : config(io::read_json(test::fixture(name + "/config.json"))),
        file(test::fixture(name + "/trajectory.safetensors")) {}

  bool has(const std::string& name) const { return file.find(name) != nullptr; }
  Tensor read(const std::string& name) const { return model::to_tensor(*file.find(name)); }
  std::vector<Parameter> parameters() const {
    std::vector<Parameter> list;
    for (int i = 0; has(fmt::format("init.{}", i)); ++i)
      list.push_back(
          {fmt::format("p{}", i), read(fmt::format("init.{}", i)).contiguous().requires_grad_()});
    return list;
  }

  nlohmann::json config;
  io::SafetensorsFile file;
};

struct Case {
  const char* folder;
  const char* options;  ///< as the fixture's config.json has them, in hone's names
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.folder; }

class OptimizerParity : public testing::TestWithParam<Case> {};

// The peers' own trajectories, 12 steps, in fp32; the order of a few operations differs: some units
// in the last place. The parameters are a matrix, a vector and a tensor of three axes.
TEST_P(OptimizerParity, FollowsItsReference) {
  const std::string folder = std::string("optim/") + GetParam().folder;
  if (!test::has_fixture(folder)) GTEST_SKIP() << folder << " is not in the small set";
  const Trajectory trajectory(folder);
  const std::vector<Parameter> parameters = trajectory.parameters();
  ASSERT_EQ(parameters.size(), 3u);
  Optimizer optimizer(parameters, options_of(GetParam().options));
  for (int t = 0; t < trajectory.config["steps"]; ++t) {
    for (int i = 0; i < 3; ++i) {
      Tensor tensor = parameters[i].tensor;
      tensor.mutable_grad() = trajectory.read(fmt::format("grad.{}.{}", t, i));
    }
    optimizer.step(trajectory.config.value("lr", 0.0));
    for (int i = 0; i < 3; ++i)
      EXPECT_TRUE(torch::allclose(parameters[i].tensor,
                                  trajectory.read(fmt::format("param.{}.{}", t, i)), 1e-6, 1e-7))
          << "step " << t << ", parameter " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, OptimizerParity,
    testing::Values(
        Case{"adamw", "{name: adamw, weight_decay: 0.1}"},
        Case{"adamw_b2", "{adam_beta1: 0.85, adam_beta2: 0.95, adam_epsilon: 1e-6}"},
        Case{"adamw_amsgrad", "{name: adamw, amsgrad: true, weight_decay: 0.01}"},
        Case{"adam", "{name: adam}"}, Case{"adam_l2", "{name: adam, weight_decay: 0.1}"},
        Case{"adagrad", "{name: adagrad}"}, Case{"rmsprop", "{name: rmsprop}"},
        Case{"sgd_momentum", "{name: sgd, momentum: 0.9, weight_decay: 0.01}"},
        Case{"sgd_nesterov", "{name: sgd, momentum: 0.8, nesterov: true}"},
        Case{"sgd_damp", "{name: sgd, momentum: 0.9, dampening: 0.3}"},
        Case{"adafactor_hf_relative",
             "{name: adafactor, adafactor_scale_parameter: true, adafactor_relative_step: true, "
             "adafactor_warmup_init: true}"},
        Case{"adafactor_hf_fixed_lr", "{name: adafactor, weight_decay: 0.1}"},
        Case{"adafactor_hf_beta1",
             "{name: adafactor, adafactor_scale_parameter: true, adafactor_beta1: 0.9}"},
        Case{"adafactor_torch", "{name: adafactor_torch, weight_decay: 0.1}"},
        Case{"bnb_adamw32", "{name: adamw, weight_decay: 0.1}"},
        Case{"bnb_lion32", "{name: lion, adam_beta2: 0.99, weight_decay: 0.1}"}));

// Newton-Schulz runs in bf16 (8 bits of mantissa), whose products each library sums in its own
// order: an update of size rate differs by some of bf16's units, 2^-8 of it each.
TEST(Muon, FollowsTorchAsFarAsBf16Goes) {
  if (!test::has_fixture("optim/muon_torch")) GTEST_SKIP() << "not in the small set";
  const Trajectory trajectory("optim/muon_torch");
  const Parameter matrix = trajectory.parameters()[0];
  Optimizer optimizer({matrix}, options_of("{name: muon, weight_decay: 0.1}"));
  const double rate = trajectory.config["lr"];
  for (int t = 0; t < trajectory.config["steps"]; ++t) {
    Tensor tensor = matrix.tensor;
    tensor.mutable_grad() = trajectory.read(fmt::format("grad.{}.0", t));
    optimizer.step(rate);
    const Tensor difference = tensor - trajectory.read(fmt::format("param.{}.0", t));
    EXPECT_LT(difference.abs().max().item<double>(), 0.02 * rate * (t + 1)) << "step " << t;
  }
}

TEST(Muon, LeavesVectorsAndEmbeddingsToAdamW) {
  const auto make = [](const char* name, std::vector<std::int64_t> sizes) {
    return Parameter{name, torch::ones(sizes).requires_grad_()};
  };
  const Optimizer optimizer(
      {make("q_proj.weight", {4, 4}), make("norm.weight", {4}),
       make("model.embed_tokens.weight", {9, 4}), make("lm_head.weight", {9, 4})},
      options_of("{name: muon}"));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : optimizer.state()) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"q_proj.weight.momentum_buffer", "norm.weight.exp_avg",
                                      "norm.weight.exp_avg_sq", "model.embed_tokens.weight.exp_avg",
                                      "model.embed_tokens.weight.exp_avg_sq",
                                      "lm_head.weight.exp_avg", "lm_head.weight.exp_avg_sq"}));
}

class EightBitParity : public testing::TestWithParam<Case> {};

// bitsandbytes on a CPU picks codes through a table of 65,536 bins; hone takes the nearest code, as
// its CUDA kernels do. A few codes of small numbers differ: single elements by a fraction of the
// rate (Lion's by twice the rate, where a sign turns), their mean by a small part of the way.
TEST_P(EightBitParity, StaysNearBitsandbytes) {
  const std::string folder = std::string("optim/") + GetParam().folder;
  if (!test::has_fixture(folder)) GTEST_SKIP() << folder << " is not in the small set";
  const Trajectory trajectory(folder);
  const std::vector<Parameter> parameters = trajectory.parameters();
  Optimizer optimizer(parameters, options_of(GetParam().options));
  const Tensor start = parameters[0].tensor.detach().clone();
  int compared = 0;
  for (int t = 0; t < trajectory.config["steps"]; ++t) {
    for (int i = 0; i < 2; ++i) {
      Tensor tensor = parameters[i].tensor;
      tensor.mutable_grad() = trajectory.read(fmt::format("grad.{}.{}", t, i));
    }
    optimizer.step(trajectory.config["lr"]);
    const Tensor small = trajectory.read(fmt::format("param.{}.1", t));
    EXPECT_TRUE(torch::allclose(parameters[1].tensor, small, 1e-6, 1e-7)) << "step " << t;
    if (!trajectory.has(fmt::format("param.{}.0", t))) continue;
    const Tensor expected = trajectory.read(fmt::format("param.{}.0", t));
    const Tensor difference = (parameters[0].tensor - expected).abs();
    const double way = (expected - start).abs().mean().item<double>();
    EXPECT_LT(difference.mean().item<double>(), 2e-3 * way) << "step " << t;
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

INSTANTIATE_TEST_SUITE_P(
    Table, EightBitParity,
    testing::Values(Case{"bnb_adamw8bit", "{name: adamw_8bit, weight_decay: 0.1}"},
                    Case{"bnb_lion8bit",
                         "{name: lion_8bit, adam_beta2: 0.99, weight_decay: 0.1}"}));

// With every direction kept and one step between projections, the projected gradient is the
// gradient in another orthonormal basis: AdamW in that basis, worked out here in fp64.
TEST(Galore, IsAdamWInTheBasisOfTheLeadingVectors) {
  const torch::TensorOptions f64 = torch::kFloat64;
  torch::manual_seed(5);
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{6, 9}, {9, 6}}) {
    const Tensor start = torch::randn(sizes, f64), first = torch::randn(sizes, f64),
                 second = torch::randn(sizes, f64);
    Parameter parameter{"q_proj.weight", start.to(torch::kFloat32).requires_grad_()};
    Optimizer optimizer({parameter}, options_of("{name: galore_adamw, galore_rank: 3, "
                                                "weight_decay: 0.1, galore_scale: 0.5}"));
    const bool wide = sizes[0] < sizes[1];
    const auto [u, s, vh] = torch::linalg_svd(first, false);
    const Tensor basis = (wide ? u : vh.t()).slice(1, 0, 3);
    Tensor expected = start, mean, square;
    int t = 0;
    for (const Tensor& gradient : {first, second}) {
      parameter.tensor.mutable_grad() = gradient.to(torch::kFloat32);
      optimizer.step(0.01);
      const Tensor low = wide ? basis.t().matmul(gradient) : gradient.matmul(basis);
      mean = t == 0 ? low * 0.1 : mean * 0.9 + low * 0.1;
      square = t == 0 ? low * low * 0.001 : square * 0.999 + low * low * 0.001;
      ++t;
      const Tensor step =
          mean / (1 - std::pow(0.9, t)) / ((square / (1 - std::pow(0.999, t))).sqrt() + 1e-8);
      expected = expected * (1 - 0.01 * 0.1) -
                 0.01 * 0.5 * (wide ? basis.matmul(step) : step.matmul(basis.t()));
      EXPECT_TRUE(torch::allclose(parameter.tensor, expected.to(torch::kFloat32), 1e-5, 1e-6));
    }
  }
}

TEST(Optimizer, ParameterWithoutDecayStaysWhereItsGradientIsZero) {
  for (const Method& method : methods()) {
    const Tensor weight = torch::ones({3}).requires_grad_();
    const Tensor norm = torch::ones({3}).requires_grad_();
    Optimizer optimizer({{"w", weight, takes_weight_decay("model.layers.0.mlp.up_proj.weight")},
                         {"n", norm, takes_weight_decay("model.layers.0.input_layernorm.weight")}},
                        options_of("{weight_decay: 0.1, name: " + method.name + "}"));
    optimizer.step(0.5);
    EXPECT_TRUE(norm.equal(torch::ones({3}))) << method.name;
    EXPECT_LT(weight.max().item<float>(), 0.96f) << method.name;
  }
}

// Saved and restored states go on bit for bit; what is not in them would show.
TEST(Optimizer, StatesAndStepCountAreAllThatAnyMethodRemembers) {
  for (const Method& method : methods()) {
    torch::manual_seed(3);
    const auto make = [] {
      std::vector<Parameter> list;
      for (const std::vector<std::int64_t>& sizes :
           {std::vector<std::int64_t>{70, 80}, {5}, {130, 140}})
        list.push_back({fmt::format("p{}", list.size()), torch::zeros(sizes).requires_grad_()});
      return list;
    };
    const OptimOptions options = options_of("{name: " + method.name + "}");
    const std::vector<Parameter> whole = make(), resumed = make();
    Optimizer left_alone(whole, options);
    auto stopped = std::make_unique<Optimizer>(resumed, options);
    for (int t = 0; t < 6; ++t) {
      if (t == 3) {
        auto next = std::make_unique<Optimizer>(resumed, options);
        const NamedTensors from = stopped->state(), to = next->state();
        ASSERT_EQ(from.size(), to.size());
        for (std::size_t i = 0; i < from.size(); ++i) {
          Tensor target = to[i].second;
          EXPECT_EQ(from[i].first, to[i].first);
          target.copy_(from[i].second);
        }
        next->set_steps_done(stopped->steps_done());
        stopped = std::move(next);
      }
      for (std::size_t i = 0; i < whole.size(); ++i) {
        const Tensor gradient = torch::randn_like(whole[i].tensor).detach();
        Tensor a = whole[i].tensor, b = resumed[i].tensor;
        a.mutable_grad() = gradient;
        b.mutable_grad() = gradient.clone();
      }
      left_alone.step(1e-2);
      stopped->step(1e-2);
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(whole[i].tensor.equal(resumed[i].tensor)) << method.name << " " << i;
      EXPECT_GT(whole[i].tensor.abs().max().item<float>(), 0) << method.name;
    }
  }
}

/// The plain gradient descent of one step at rate 0.1 with gradient 1 shows each parameter's rates.
std::vector<double> moves(const std::string& yaml) {
  std::vector<Parameter> parameters;
  for (const char* name :
       {"layers.0.q_proj.lora_A.weight", "layers.0.q_proj.lora_B.weight", "layers.1.norm.weight"}) {
    const Tensor tensor = torch::ones({2, 2}).requires_grad_();
    parameters.push_back({name, tensor, takes_weight_decay(name)});
    parameters.back().tensor.mutable_grad() = torch::ones({2, 2});
  }
  Optimizer optimizer(parameters, options_of(yaml));
  optimizer.step(0.1);
  std::vector<double> list;
  for (const Parameter& parameter : parameters)
    list.push_back(1.0 - parameter.tensor[0][0].item<double>());
  return list;
}

void expect_moves(const std::string& yaml, const std::vector<double>& expected) {
  const std::vector<double> got = moves("{name: sgd, learning_rate: 0.2" + yaml + "}");
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << yaml;
}

TEST(Groups, TheFirstPatternThatFitsGivesTheRates) {
  expect_moves("", {0.1, 0.1, 0.1});
  expect_moves(", groups: [{pattern: 'layers\\.1', learning_rate: 0.4}]", {0.1, 0.1, 0.2});
  expect_moves(", weight_decay: 0.5, groups: [{pattern: lora_B, weight_decay: 0}]",
               {0.15, 0.1, 0.1});
  expect_moves(
      ", groups: [{pattern: lora_B, learning_rate: 0}, {pattern: lora, learning_rate: 0.6}]",
      {0.3, 0.0, 0.1});
  expect_moves(", groups: [{pattern: norm, weight_decay: 0.5}]", {0.1, 0.1, 0.15});
}

TEST(Groups, LoraPlusRaisesTheRateOfB) {
  expect_moves(", loraplus_lr_ratio: 16", {0.1, 1.6, 0.1});
  expect_moves(", loraplus_lr_ratio: 16, groups: [{pattern: lora_B, learning_rate: 0.4}]",
               {0.1, 0.2, 0.1});
}

TEST(Groups, WhatFitsNothingIsRefusedWithWhatThereIs) {
  const auto refusal = [](const std::string& yaml) {
    return test::message_of<ConfigError>([&] { moves(yaml); });
  };
  const std::string message = refusal("{groups: [{pattern: q_prj}]}");
  EXPECT_TRUE(test::contains(message, "'q_prj'"));
  EXPECT_TRUE(test::contains(message, "layers.0.q_proj.lora_A.weight"));
  EXPECT_TRUE(test::contains(refusal("{groups: [{pattern: '('}]}"), "no regular expression"));
  const Tensor weight = torch::ones({2, 2}).requires_grad_();
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] {
                               Optimizer({{"w", weight}}, options_of("{loraplus_lr_ratio: 4}"));
                             }),
                             "no LoRA is trained"));
}

TEST(Averages, FollowTheWeightsAndAreTakenAtTheEnd) {
  const Tensor weight = torch::zeros({2}).requires_grad_();
  Optimizer optimizer({{"w", weight}}, options_of("{name: sgd, ema_decay: 0.75}"));
  for (int step = 0; step < 2; ++step) {
    Tensor tensor = weight;
    tensor.mutable_grad() = torch::full({2}, -1.0f);
    optimizer.step(1.0);
  }
  EXPECT_EQ(optimizer.state().back().first, "w.ema");
  EXPECT_TRUE(weight.equal(torch::full({2}, 2.0f)));
  optimizer.take_averages();
  EXPECT_TRUE(weight.equal(torch::full({2}, 0.25f * 0.75f + 2.0f * 0.25f)));
}

TEST(OptimOptions, AKeyThatTheOptimizerDoesNotReadIsRefused) {
  const std::string message =
      test::message_of<ConfigError>([] { options_of("{name: lion, momentum: 0.9}"); });
  EXPECT_TRUE(test::contains(message, "momentum"));
  EXPECT_TRUE(test::contains(message, "lion does not read it"));
  EXPECT_TRUE(test::contains(message, "rmsprop, sgd"));
}

}  // namespace
}  // namespace hone::optim
