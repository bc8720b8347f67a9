#include "adapters/experts.h"

#include <gtest/gtest.h>

#include "adapters/adapter.h"
#include "adapters/parts.h"
#include "base/error.h"
#include "config/load.h"
#include "model/load.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

model::Decoder mixtral() {
  return model::load_decoder(test::fixture("adapters/_base_mixtral"), {});
}

AdapterOptions options_for(std::vector<std::string> parameters) {
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = 4;
  options.target_parameters = std::move(parameters);
  return options;
}

TEST(Experts, AreNamedAsPeftWrapsThem) {
  model::Decoder decoder = mixtral();
  const auto names = [&](const AdapterOptions& options) {
    std::vector<std::string> found;
    for (const NamedTensor& named : make_adapter(decoder, options, 1).state())
      if (named.name.find("layers.1.mlp") != std::string::npos) found.push_back(named.name);
    return found;
  };
  AdapterOptions options = options_for({"gate_up_proj", "down_proj"});
  options.target_modules = {};
  const std::string module = "base_model.model.model.layers.1.mlp.experts.";
  EXPECT_EQ(names(options),
            (std::vector<std::string>{module + "base_layer.lora_A.weight",
                                      module + "base_layer.lora_B.weight", module + "lora_A.weight",
                                      module + "lora_B.weight"}));
  options.target_parameters = {"mlp.experts.gate_up_proj"};
  EXPECT_EQ(names(options),
            (std::vector<std::string>{module + "lora_A.weight", module + "lora_B.weight"}));
}

TEST(Experts, AllLinearIsThenWhatIsOutsideOfThem) {
  model::Decoder decoder = mixtral();
  const Adapter adapter = make_adapter(decoder, options_for({"down_proj"}), 1);
  EXPECT_EQ(adapter.settings.texts("target_modules"),
            (std::vector<std::string>{"k_proj", "o_proj", "q_proj", "v_proj"}));
  EXPECT_EQ(adapter.modules.size(), 5 * decoder.layers.size());
}

TEST(Experts, StartAsTheBaseAndComeOffAgain) {
  const torch::NoGradGuard no_grad;
  model::Decoder decoder = mixtral();
  const model::TokenStream tokens{torch::tensor({3, 4, 5}), torch::tensor({0, 1, 2}), {0, 3}};
  const Tensor before = model::hidden_states(decoder, tokens);
  Adapter adapter = make_adapter(decoder, options_for({"gate_up_proj", "down_proj"}), 7);
  attach(adapter, decoder);
  EXPECT_TRUE(model::hidden_states(decoder, tokens).equal(before));
  for (AdaptedModule& module : adapter.modules)
    if (module.site.kind == SiteKind::kExperts) module.tensors.at("lora_B.weight").fill_(0.1);
  EXPECT_FALSE(model::hidden_states(decoder, tokens).equal(before)) << "after a change in place";
  detach(adapter, decoder);
  EXPECT_TRUE(model::hidden_states(decoder, tokens).equal(before));
}

TEST(Experts, RefusalsTellWhatThereIs) {
  model::Decoder decoder = mixtral();
  const auto refused = [&](const AdapterOptions& options) {
    return test::message_of<ConfigError>([&] { make_adapter(decoder, options, 1); });
  };
  const std::string told = refused(options_for({"experts.gate_up_prj"}));
  EXPECT_TRUE(test::contains(told, "names no stacked weight"));
  EXPECT_TRUE(test::contains(told, "did you mean gate_up_proj"));
  AdapterOptions options = options_for({"down_proj"});
  options.target_modules = {"w1"};
  EXPECT_TRUE(test::contains(refused(options), "a layer of one expert"));
  options.target_modules = {"q_proj"};
  options.lora_dropout = 0.1;
  EXPECT_TRUE(test::contains(refused(options), "lora_dropout is not there"));
  options.lora_dropout = 0;
  options.init_lora_weights = "pissa";
  EXPECT_TRUE(test::contains(refused(options), "default or gaussian"));
  model::Decoder dense = model::load_decoder(test::fixture("adapters/_base_llama"), {});
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { make_adapter(dense, options_for({"down_proj"}), 1); }),
      "has no experts"));
}

TEST(Parts, GradientsOfSeveralPassesAddUpAndFollowAChange) {
  Tensor whole = torch::arange(6, torch::kFloat32).requires_grad_();
  const Parts parts(whole, [](const Tensor& all) { return all.view({3, 2}).unbind(0); });
  for (int pass = 0; pass < 2; ++pass) (parts.at(0).sum() + 2 * parts.at(2).sum()).backward();
  EXPECT_TRUE(whole.grad().equal(torch::tensor({2.f, 2.f, 0.f, 0.f, 4.f, 4.f})));
  {
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(parts.at(1).equal(torch::tensor({2.f, 3.f})));
    whole.add_(1);
  }
  EXPECT_TRUE(parts.at(1).requires_grad());
  EXPECT_TRUE(parts.at(1).equal(torch::tensor({3.f, 4.f})));
  parts.at(1).sum().backward();
  EXPECT_TRUE(whole.grad().equal(torch::tensor({2.f, 2.f, 1.f, 1.f, 4.f, 4.f})));
}

}  // namespace
}  // namespace hone::adapters
