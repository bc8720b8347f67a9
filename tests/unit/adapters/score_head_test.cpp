#include "model/score_head.h"

#include <nlohmann/json.hpp>

#include "adapters/adapter.h"
#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "support/support.h"

// The head of a reward model whose base is a language model.

namespace hone::adapters {
namespace {

model::Decoder base() { return model::load_decoder(test::fixture("adapters/_base_llama"), {}); }

Tensor scores_of(const model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  const model::TokenStream tokens{
      torch::tensor({3, 4, 5, 6}), torch::tensor({0, 1, 2, 0}), {0, 3, 4}};
  return model::scores(decoder, model::hidden_states(decoder, tokens), torch::tensor({2, 3}));
}

TEST(ScoreHead, IsAFunctionOfTheSeed) {
  const auto head = [](std::uint64_t seed) {
    model::Decoder decoder = base();
    model::add_score_head(decoder, 40, seed);
    EXPECT_FALSE(decoder.lm_head.defined());
    return decoder.score;
  };
  const Tensor score = head(1);
  ASSERT_EQ(score.sizes().vec(), (std::vector<std::int64_t>{40, base().spec.hidden_size}));
  EXPECT_TRUE(score.equal(head(1)));
  EXPECT_FALSE(score.equal(head(2)));
  // Of some thousand numbers the mean is within 5 deviations of its own of 0, and the deviation
  // within 10 %.
  const auto count = double(score.numel());
  EXPECT_LT(std::abs(score.mean().item<double>()), 5 * 0.02 / std::sqrt(count));
  EXPECT_NEAR(score.std().item<double>(), 0.02, 0.002);
}

TEST(ScoreHead, AModelsOwnIsKept) {
  model::Decoder decoder = base();
  model::add_score_head(decoder, 2, 1);
  const Tensor own = decoder.score;
  model::add_score_head(decoder, 2, 9);
  EXPECT_TRUE(decoder.score.is_same(own));
  const std::string message =
      test::message_of<ConfigError>([&] { model::add_score_head(decoder, 1, 1); });
  EXPECT_TRUE(test::contains(message, "has 2 outputs"));
}

// PEFT lists both names that a classifier's head may have, and saves the one that is there.
TEST(ScoreHead, ComesWithItsAdapter) {
  model::Decoder trained = base();
  model::add_score_head(trained, 1, 5);
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.modules_to_save = {"score"};
  Adapter adapter = make_adapter(trained, options, 3);
  attach(adapter, trained);
  const test::TempFolder folder;
  save_adapter(adapter, folder / "saved", "base");

  nlohmann::json config = io::read_json(folder / "saved" / "adapter_config.json");
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  config["modules_to_save"] = {"classifier", "score"};
  write_file_atomically(folder / "saved" / "adapter_config.json", config.dump());
  model::Decoder served = base();
  Adapter loaded = load_adapter(folder / "saved", served);
  attach(loaded, served);
  EXPECT_EQ(served.spec.num_labels, 1);
  EXPECT_TRUE(scores_of(served).equal(scores_of(trained)));
}

}  // namespace
}  // namespace hone::adapters
