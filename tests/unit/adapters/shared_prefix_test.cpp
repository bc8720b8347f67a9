#include <nlohmann/json.hpp>

#include "adapters/adapter.h"
#include "adapters/dropout.h"
#include "config/load.h"
#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/shared_pairs.h"
#include "support/support.h"

// Pairs whose prompts are computed once against pairs written out, with the adapters of
// golden/adapters on the base.

namespace hone::adapters {
namespace {

using test::relative_error;
using test::SharedPairs;

class SharedPrefixes : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::has_fixture(folder())) GTEST_SKIP() << "not in the small set";
  }
  std::string folder() const { return std::string("adapters/") + GetParam(); }
};

struct Result {
  Tensor logps;
  std::vector<Tensor> gradients;
};
Result run(const model::Decoder& decoder, const Adapter& adapter, const model::TokenStream& tokens,
           const Tensor& rows, const Tensor& targets) {
  std::vector<NamedTensor> state = adapter.state();
  for (NamedTensor& named : state) {
    if (named.is_trained) named.tensor.requires_grad_();
    named.tensor.mutable_grad() = Tensor();
  }
  Result result;
  result.logps = model::token_logps(decoder, model::hidden_states(decoder, tokens), rows, targets);
  result.logps.dot(torch::linspace(-1, 1, result.logps.numel())).backward();
  for (const NamedTensor& named : state)
    if (named.is_trained) result.gradients.push_back(named.tensor.grad());
  return result;
}

TEST_P(SharedPrefixes, GiveTheNumbersOfTheWholeDocuments) {
  const nlohmann::json info = io::read_json(test::fixture(folder()) / "info.json");
  model::Decoder decoder =
      model::load_decoder(test::fixture("adapters/" + info["base"].get<std::string>()), {});
  Adapter adapter = load_adapter(test::fixture(folder()), decoder);
  for (NamedTensor& named : adapter.state())
    if (named.is_trained) named.tensor.requires_grad_();
  attach(adapter, decoder);
  const SharedPairs pairs =
      test::make_shared_pairs({{17, {12, 5}}, {9, {}}, {3, {1, 20, 4}}}, decoder.spec.vocab_size);
  const Result plain = run(decoder, adapter, pairs.plain, pairs.plain_rows, pairs.targets);
  const Result shared = run(decoder, adapter, pairs.shared, pairs.shared_rows, pairs.targets);
  EXPECT_LT(relative_error(shared.logps, plain.logps), 1e-6);
  ASSERT_GT(plain.gradients.size(), 0u);
  for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
    ASSERT_EQ(shared.gradients[i].defined(), plain.gradients[i].defined()) << i;
    if (!plain.gradients[i].defined()) continue;
    EXPECT_LE((shared.gradients[i] - plain.gradients[i]).norm().item<double>(),
              1e-5 * plain.gradients[i].norm().item<double>())
        << i;
  }
}

// The prompt's rows are dropped once, so both answers go on from the same prompt: an answer right
// behind it is the document [prompt][answer] at the same rows of the step.
TEST(SharedPrefixDropout, BothAnswersSeeOnePrompt) {
  model::Decoder decoder = model::load_decoder(test::fixture("adapters/_base_llama"), {});
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.lora_dropout = 0.4;
  Adapter adapter = make_adapter(decoder, options, 3);
  for (const NamedTensor& named : adapter.state()) {
    torch::manual_seed(5);
    Tensor tensor = named.tensor;
    tensor.normal_(0, 0.1);
  }
  const auto dropout = std::make_shared<DropoutState>();
  *dropout = {.training = true, .seed = 1, .step = 2, .first_row = 30};
  attach(adapter, decoder, dropout);

  const torch::NoGradGuard no_grad;
  const SharedPairs pairs = test::make_shared_pairs({{9, {6, 4}}}, decoder.spec.vocab_size);
  const Tensor ids = pairs.shared.ids_N, positions = pairs.shared.positions_N;
  const Tensor both = model::hidden_states(decoder, pairs.shared);
  const Tensor chosen =
      model::hidden_states(decoder, {ids.slice(0, 0, 15), positions.slice(0, 0, 15), {0, 15}});
  EXPECT_LT(relative_error(both.slice(0, 0, 15), chosen), 1e-6);

  // The other answer in its place: the prompt keeps its mask.
  const Tensor order = torch::cat({torch::arange(0, 9), torch::arange(15, 19)});
  const Tensor rejected = model::hidden_states(
      decoder, {ids.index_select(0, order), positions.index_select(0, order), {0, 13}});
  EXPECT_LT(relative_error(both.slice(0, 0, 9), rejected.slice(0, 0, 9)), 1e-6);
  dropout->training = false;
  EXPECT_GT(relative_error(both.slice(0, 0, 9),
                           model::hidden_states(decoder, pairs.shared).slice(0, 0, 9)),
            1e-2);
}

INSTANTIATE_TEST_SUITE_P(Methods, SharedPrefixes,
                         testing::Values("adalora", "boft", "dora", "dora_rslora", "ia3",
                                         "ln_tuning", "loha", "lokr", "lokr_factor", "lora",
                                         "lora_bias", "lora_bias_all", "lora_embedding",
                                         "lora_patterns", "oft", "oft_neumann", "olora", "p_tuning",
                                         "pissa", "prefix_tuning", "prompt_tuning", "rslora",
                                         "trainable_tokens", "vblora", "vera"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::adapters
