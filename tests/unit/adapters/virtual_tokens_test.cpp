#include "adapters/adapter.h"
#include "model/generate.h"
#include "model/head.h"
#include "model/load.h"
#include "model/session.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

/// Methods whose virtual tokens stand before every document.
class VirtualTokens : public testing::TestWithParam<const char*> {
 protected:
  VirtualTokens() : decoder_(model::load_decoder(test::fixture("adapters/_base_llama"), {})) {
    Adapter adapter = load_adapter(test::fixture(std::string("adapters/") + GetParam()), decoder_);
    attach(adapter, decoder_);
  }
  Tensor hidden(const std::vector<std::int64_t>& ids) const {
    const torch::NoGradGuard no_grad;
    const std::int64_t count = std::ssize(ids);
    return model::hidden_states(decoder_, {torch::tensor(ids), torch::arange(count), {0, count}});
  }
  /// The likeliest continuation, each token from a pass over all that came before.
  std::vector<std::int64_t> continued(std::vector<std::int64_t> ids, int count) const {
    std::vector<std::int64_t> made;
    for (int i = 0; i < count; ++i) {
      const Tensor last = hidden(ids).narrow(0, std::ssize(ids) - 1, 1);
      made.push_back(model::logits(decoder_, last).argmax().item<std::int64_t>());
      ids.push_back(made.back());
    }
    return made;
  }
  model::Decoder decoder_;
  const std::vector<std::int64_t> first_ = {3, 5, 17, 300, 9}, second_ = {44, 8};
};

TEST_P(VirtualTokens, ADocumentSeesItsOwnAndNoOther) {
  const torch::NoGradGuard no_grad;
  const Tensor together = model::hidden_states(
      decoder_,
      {torch::tensor({3, 5, 17, 300, 9, 44, 8}), torch::tensor({0, 1, 2, 3, 4, 0, 1}), {0, 5, 7}});
  ASSERT_EQ(together.size(0), 7);
  EXPECT_TRUE(torch::allclose(together.narrow(0, 0, 5), hidden(first_), 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(together.narrow(0, 5, 2), hidden(second_), 1e-5, 1e-5));
}

TEST_P(VirtualTokens, GenerationGoesOnAsAPassOverAllTokensWould) {
  model::SamplingOptions options;
  options.temperature = 0;
  options.max_new_tokens = 6;
  const auto made = model::generate(decoder_, {first_, second_}, options);
  EXPECT_EQ(made[0].ids, continued(first_, 6));
  EXPECT_EQ(made[1].ids, continued(second_, 6));
}

TEST_P(VirtualTokens, ASessionReusesWhatItHeld) {
  model::SamplingOptions options;
  options.temperature = 0;
  options.max_new_tokens = 3;
  model::Session session(decoder_);
  EXPECT_EQ(session.reply(first_, options).ids, continued(first_, 3));
  std::vector<std::int64_t> longer = first_;
  longer.insert(longer.end(), {12, 13});
  EXPECT_EQ(session.reply(longer, options).ids, continued(longer, 3));
  EXPECT_EQ(session.reused_tokens(), std::ssize(first_));
  EXPECT_EQ(session.reply(second_, options).ids, continued(second_, 3)) << "from the start again";
}

INSTANTIATE_TEST_SUITE_P(Methods, VirtualTokens,
                         testing::Values("prompt_tuning", "p_tuning", "prefix_tuning"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::adapters
