#include "model/resize.h"

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "support/support.h"

namespace hone::model {
namespace {

/// @param name of a fixture, and whether its head is its embedding
class Resize : public testing::TestWithParam<std::pair<const char*, bool>> {
 protected:
  std::filesystem::path folder_ = test::fixture(GetParam().first);
  LoadOptions grown_ = {.vocab_size = load_spec(folder_).vocab_size + 3};
};

TEST_P(Resize, NewRowsAreTheMeanOfTheOthersWhichKeepTheirs) {
  const Decoder before = load_decoder(folder_, {}), after = load_decoder(folder_, grown_);
  const std::int64_t rows = before.spec.vocab_size;
  EXPECT_EQ(before.spec.tie_word_embeddings, GetParam().second);
  EXPECT_EQ(after.spec.vocab_size, rows + 3);
  EXPECT_EQ(after.spec.added_rows, 3);
  for (const auto& [old_rows, new_rows] : {std::pair{before.embed_tokens, after.embed_tokens},
                                           std::pair{before.lm_head, after.lm_head}}) {
    EXPECT_TRUE(new_rows.narrow(0, 0, rows).equal(old_rows));
    const Tensor mean = old_rows.to(torch::kFloat64).mean(0);
    for (std::int64_t i = 0; i < 3; ++i)
      EXPECT_LT((new_rows[rows + i] - mean).abs().max().item<double>(), 1e-7);
  }
  EXPECT_EQ(after.lm_head.is_same(after.embed_tokens), GetParam().second);
}

TEST_P(Resize, OldTokensKeepTheirLogitsAndTheModelIsSavedWithItsSize) {
  const torch::NoGradGuard no_grad;
  const Decoder before = load_decoder(folder_, {});
  Decoder after = load_decoder(folder_, grown_);
  const TokenStream old_tokens{torch::tensor({3, 7, 1}), torch::arange(3), {0, 3}};
  const Tensor want = logits(before, hidden_states(before, old_tokens));
  const Tensor got = logits(after, hidden_states(after, old_tokens));
  EXPECT_TRUE(got.narrow(1, 0, before.spec.vocab_size).equal(want));
  const test::TempFolder out;
  save_decoder(after, out / "model", folder_, torch::kFloat32);
  EXPECT_EQ(io::read_json(out / "model/config.json")["vocab_size"], after.spec.vocab_size);
  const Decoder again = load_decoder(out / "model", {});
  EXPECT_EQ(again.spec.added_rows, 0) << "they are its own now";
  EXPECT_TRUE(logits(again, hidden_states(again, old_tokens)).equal(got));
}

INSTANTIATE_TEST_SUITE_P(Heads, Resize,
                         testing::Values(std::pair{"train/_base", true},
                                         std::pair{"models/olmo2", false}),
                         [](const auto& one) {
                           return std::string(one.param.second ? "Tied" : "Untied");
                         });

TEST(ResizeOfARewardModel, IsThatOfItsEmbedding) {
  const auto folder = test::fixture("models/llama_classifier");
  const Decoder before = load_decoder(folder, {});
  const Decoder after = load_decoder(folder, {.vocab_size = before.spec.vocab_size + 1});
  EXPECT_EQ(after.embed_tokens.size(0), before.spec.vocab_size + 1);
  EXPECT_EQ(after.score.sizes(), before.score.sizes());
}

}  // namespace
}  // namespace hone::model
