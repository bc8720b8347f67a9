#include "base/error.h"
#include "model/head.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/shared_pairs.h"
#include "support/support.h"

// A pair whose prompt is computed once against the pair written out, for every family there is a
// tiny model of (tests/data/models, and HONE_GOLDEN).

namespace hone::model {
namespace {

using test::relative_error;
using test::SharedPairs;

class SharedPrefixes : public testing::TestWithParam<const char*> {
 protected:
  Decoder decoder() const {
    return load_decoder(test::fixture(std::string("models/") + GetParam()), {});
  }
};

// Longer than the fixtures' windows of 8, and within 10 tokens where a rope looks at the length.
SharedPairs pairs_for(const Spec& spec) {
  if (depends_on_length(spec.ropes.front()))
    return test::make_shared_pairs({{4, {5, 3}}, {6, {}}, {1, {2, 9}}}, spec.vocab_size);
  return test::make_shared_pairs({{17, {12, 5}}, {9, {}}, {3, {1, 30, 4}}, {40, {1, 2}}},
                                 spec.vocab_size);
}

struct Result {
  Tensor logps;
  std::vector<Tensor> gradients;
};
Result run(Decoder& decoder, const TokenStream& tokens, const Tensor& rows, const Tensor& targets) {
  std::vector<WeightSlot> slots = weight_slots(decoder);
  for (WeightSlot& slot : slots) {
    slot.tensor->requires_grad_();
    slot.tensor->mutable_grad() = Tensor();
  }
  tie_head(decoder);
  Result result;
  result.logps = token_logps(decoder, hidden_states(decoder, tokens), rows, targets);
  // Answers weigh differently, as they do in a preference loss.
  result.logps.dot(torch::linspace(-1, 1, result.logps.numel())).backward();
  for (WeightSlot& slot : slots) {
    const Tensor& gradient = slot.tensor->grad();  // none where no token came to an expert
    result.gradients.push_back(gradient.defined() ? gradient.clone()
                                                  : torch::zeros_like(*slot.tensor));
  }
  return result;
}

TEST_P(SharedPrefixes, GiveTheNumbersOfTheWholeDocuments) {
  Decoder model = decoder();
  const SharedPairs pairs = pairs_for(model.spec);
  ASSERT_LT(pairs.shared.ids_N.numel(), pairs.plain.ids_N.numel());
  const Result plain = run(model, pairs.plain, pairs.plain_rows, pairs.targets);
  const Result shared = run(model, pairs.shared, pairs.shared_rows, pairs.targets);
  EXPECT_LT(relative_error(shared.logps, plain.logps), 1e-6);
  const std::vector<WeightSlot> slots = weight_slots(model);
  for (std::size_t i = 0; i < slots.size(); ++i)
    EXPECT_LE((shared.gradients[i] - plain.gradients[i]).norm().item<double>(),
              1e-5 * plain.gradients[i].norm().item<double>())
        << slots[i].name;
}

TEST_P(SharedPrefixes, AnAnswerSeesNoOther) {
  const torch::NoGradGuard no_grad;
  const Decoder model = decoder();
  SharedPairs pairs = test::make_shared_pairs({{4, {3, 3}}}, model.spec.vocab_size);
  const Tensor before = hidden_states(model, pairs.shared);
  pairs.shared.ids_N = pairs.shared.ids_N.clone();
  pairs.shared.ids_N.slice(0, 4, 7).fill_(5);
  const Tensor after = hidden_states(model, pairs.shared);
  // A mixture's experts multiply the tokens that chose them together: other tokens, other rounding.
  const double bar = model.spec.moe.num_experts > 0 ? 1e-6 : 0;
  EXPECT_LE(relative_error(before.slice(0, 0, 4), after.slice(0, 0, 4)), bar);
  EXPECT_LE(relative_error(before.slice(0, 7, 10), after.slice(0, 7, 10)), bar);
  EXPECT_FALSE(before.slice(0, 4, 7).equal(after.slice(0, 4, 7)));
}

// Such a rope turns a prompt by the length of the answer too.
TEST_P(SharedPrefixes, AreRefusedWhereTheRopeLooksAtTheDocument) {
  const Decoder model = decoder();
  const Rope& rope = model.spec.ropes.front();
  if (!depends_on_length(rope)) GTEST_SKIP() << "every rope of it is the same in all documents";
  const auto original = std::int64_t(rope.scaling.original_max_position_embeddings);
  const SharedPairs pairs = test::make_shared_pairs({{5, {original, 2}}}, model.spec.vocab_size);
  const std::string message =
      test::message_of<ConfigError>([&] { hidden_states(model, pairs.shared); });
  EXPECT_TRUE(test::contains(message, "(" + rope.scaling.type + ")"));
  EXPECT_TRUE(test::contains(message, fmt::format("documents to {} tokens", original)));
}

TEST(SharedPrefixes, ASpanGoesOnFromAnEarlierOne) {
  const Decoder model = load_decoder(test::fixture("models/llama"), {});
  SharedPairs pairs = test::make_shared_pairs({{4, {3, 3}}}, model.spec.vocab_size);
  for (const std::vector<std::int64_t>& wrong :
       {std::vector<std::int64_t>{-1, 2, 0}, {-1, 0}, {-1, 0, 1}, {-1, -1, 0}, {0, 0, 0}}) {
    pairs.shared.prefix_of = wrong;
    EXPECT_THROW(hidden_states(model, pairs.shared), ShapeError);
  }
}

constexpr const char* kModels[] = {
    "llama",      "llama_rope_llama3", "mistral",      "qwen2",        "qwen3",
    "gemma2",     "gemma3_text",       "phi3",         "mixtral",      "qwen3_moe",
    "olmo2",      "granite",           "smollm3",      "llama_linear", "llama_dynamic",
    "llama_yarn", "phi3_longrope",     "phi3_partial", "qwen2_window"};

INSTANTIATE_TEST_SUITE_P(Families, SharedPrefixes, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : kModels)
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hone::model
