#include "model/head.h"

#include <torch/csrc/autograd/autograd.h>

#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::model {
namespace {

/// A model's head over random hidden states.
struct HeadCase {
  Decoder decoder;
  Tensor hidden;
  Tensor rows = torch::tensor({0, 5, 7, 299}, torch::kInt64);
  Tensor targets = torch::tensor({3, 1, 3, 50}, torch::kInt64);

  explicit HeadCase(const std::string& model)
      : decoder(load_decoder(test::fixture("models/" + model), {})) {
    torch::manual_seed(3);
    hidden = torch::randn({300, decoder.spec.hidden_size}).mul_(2).requires_grad_();
    decoder.lm_head = decoder.lm_head.detach().clone().requires_grad_();
  }
};

class TokenDistributionOf : public testing::TestWithParam<const char*> {};

// The same from logits that exist; both in fp32, summed in another order.
TEST_P(TokenDistributionOf, IsWhatWholeLogitsSay) {
  HeadCase c(GetParam());
  const Tensor whole = logits(c.decoder, c.hidden.index_select(0, c.rows));
  const std::vector<Tensor> expected = {
      whole.log_softmax(1).gather(1, c.targets.unsqueeze(1)).squeeze(1), whole.logsumexp(1),
      whole.mean(1)};
  const TokenDistribution got = token_distribution(c.decoder, c.hidden, c.rows, c.targets);
  const std::vector<Tensor> found = {got.logps_M, got.logsumexp_M, got.mean_logit_M};
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(torch::allclose(found[i], expected[i], 1e-5, 1e-5)) << i;
    const auto gradients_of = [&](const Tensor& of) {
      return torch::autograd::grad({of.square().sum()}, {c.hidden, c.decoder.lm_head}, {},
                                   /*retain_graph=*/true);
    };
    const auto want = gradients_of(expected[i]), have = gradients_of(found[i]);
    for (std::size_t g = 0; g < 2; ++g)
      EXPECT_LT(test::relative_error(have[g], want[g]), 1e-5) << i << " " << g;
  }
}

INSTANTIATE_TEST_SUITE_P(Heads, TokenDistributionOf, testing::ValuesIn([] {
                           std::vector<const char*> names;  // plain, scaled, capped
                           for (const char* name : {"llama", "granite", "gemma2"})
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::model
