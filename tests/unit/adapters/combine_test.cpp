#include "adapters/combine.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using test::relative_error;

/// What PEFT's add_weighted_adapter made of the same adapters.
class Weighted : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::has_fixture("adapters/weighted_llama")) GTEST_SKIP() << "not in the small set";
  }
};

TEST_P(Weighted, LogitsAreThoseOfPeft) {
  const torch::NoGradGuard no_grad;
  const auto folder = test::fixture("adapters/weighted_llama");
  const nlohmann::json info = io::read_json(folder / "info.json")[GetParam()];
  model::Decoder decoder = model::load_decoder(test::fixture("adapters/_base_llama"), {});
  std::vector<Adapter> adapters;
  for (const std::string name : info["adapters"])
    adapters.push_back(load_adapter(folder / name, decoder));
  Combination how;
  how.type = info["combination_type"];
  how.weights = info["weights"].get<std::vector<double>>();
  how.density = info.value("density", 1.0);
  how.majority_sign_method = info.value("majority_sign_method", "total");
  how.svd_rank = info.value("svd_rank", 0);
  Adapter combined = combine(adapters, how);
  EXPECT_EQ(combined.settings.get<std::int64_t>("r"), info["result_r"]);
  EXPECT_EQ(combined.settings.get<std::int64_t>("lora_alpha"), info["result_lora_alpha"]);

  // Through a folder, as another program would get it.
  const test::TempFolder out;
  save_adapter(combined, out.path(), "base");
  Adapter loaded = load_adapter(out.path(), decoder);
  attach(loaded, decoder);
  const test::FixtureBatch batch =
      test::flatten(io::SafetensorsFile(test::fixture("adapters/_base_llama/io.safetensors")));
  const io::SafetensorsFile outputs(folder / "io.safetensors");
  const Tensor padded = model::to_tensor(*outputs.find(std::string("logits.") + GetParam()));
  std::vector<Tensor> rows;
  for (const auto& [r, c] : batch.places) rows.push_back(padded[r][c]);
  const Tensor hidden = model::hidden_states(decoder, batch.tokens);
  EXPECT_LT(relative_error(model::logits(decoder, hidden), torch::stack(rows)), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Weighted,
                         testing::Values("linear", "cat", "cat_ac", "svd", "ties", "ties_frequency",
                                         "ties_svd", "magnitude_prune"),
                         [](const auto& one) { return std::string(one.param); });

class Combine : public testing::Test {
 protected:
  Combine() : decoder_(model::load_decoder(test::fixture("adapters/_base_llama"), {})) {
    adapters_.push_back(load_adapter(test::fixture("adapters/lora"), decoder_));
    adapters_.push_back(adapters_.front());
  }
  Tensor delta(const Adapter& adapter) const {
    const Tensors& t = adapter.modules.front().tensors;
    const double s = adapter.settings.get<double>("lora_alpha") / adapter.settings.get<double>("r");
    return t.at("lora_B.weight").mm(t.at("lora_A.weight")) * s;
  }
  model::Decoder decoder_;
  std::vector<Adapter> adapters_;
};

// Each number is kept with probability `density` and then divided by it.
TEST_F(Combine, DareKeepsTheExpectedUpdateAndDependsOnTheSeedAlone) {
  Combination how{.type = "dare_linear_svd", .weights = {0.5, 0.5}, .density = 0.5};
  Tensor sum = torch::zeros_like(delta(adapters_.front()));
  constexpr int kDraws = 200;
  how.svd_rank = 64;  // all of a 64 x 64 matrix
  for (int i = 0; i < kDraws; ++i) {
    how.seed = std::uint64_t(i);
    sum = sum + delta(combine(adapters_, how));
  }
  // The mean of 200 draws, each with the number's own size as its deviation, over two adapters.
  const double expected_error = 1 / std::sqrt(2.0 * kDraws);
  EXPECT_NEAR(relative_error(sum / kDraws, delta(adapters_.front())), expected_error,
              0.5 * expected_error);
  EXPECT_TRUE(delta(combine(adapters_, how)).equal(delta(combine(adapters_, how))));
}

TEST_F(Combine, RefusesWhatCannotBeAdded) {
  const auto message = [&](const Combination& how) {
    return test::message_of<ConfigError>([&] { combine(adapters_, how); });
  };
  EXPECT_TRUE(
      test::contains(message({.type = "mean", .weights = {1, 1}}), "no combination `mean`"));
  EXPECT_TRUE(test::contains(message({.weights = {1}}), "1 weights for 2 adapters"));
  EXPECT_TRUE(test::contains(message({.weights = {1, 1}, .density = 0}), "the density is 0"));
  adapters_.back() = load_adapter(test::fixture("adapters/ia3"), decoder_);
  EXPECT_TRUE(test::contains(message({.weights = {1, 1}}), "only plain LoRA"));
}

}  // namespace
}  // namespace hone::adapters
