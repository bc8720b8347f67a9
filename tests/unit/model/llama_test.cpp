#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/support.h"

// The tiny Llama that transformers made (tests/data/models/llama/README.md says with what).

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using test::FixtureBatch;
using test::flatten;
using test::relative_error;

class ModelParity : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder() const { return test::fixture(std::string("models/") + GetParam()); }
  Decoder decoder() const { return load_decoder(folder(), {}); }
};

// fp32 sums of some hundred products, taken in another order: 1e-5 is what rounding may do.
TEST_P(ModelParity, LogitsAgree) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const FixtureBatch batch = flatten(io);
  const Tensor expected = to_tensor(*io.find("logits"));
  const Decoder model = decoder();
  const Tensor got = logits(model, hidden_states(model, batch.tokens));
  std::vector<Tensor> rows;
  for (const auto& [r, c] : batch.places) rows.push_back(expected[r][c]);
  EXPECT_LT(relative_error(got, torch::stack(rows)), 1e-5);
}

TEST_P(ModelParity, LossAndEveryGradientAgree) {
  const io::SafetensorsFile io(folder() / "io.safetensors"), grads(folder() / "grads.safetensors");
  const FixtureBatch batch = flatten(io);
  Decoder model = decoder();
  std::vector<WeightSlot> slots = weight_slots(model);
  for (WeightSlot& slot : slots) slot.tensor->requires_grad_();
  tie_head(model);

  const Tensor logps =
      token_logps(model, hidden_states(model, batch.tokens), batch.rows_M, batch.targets_M);
  const Tensor loss =
      loss::weighted_nll(logps, torch::ones_like(logps), double(batch.rows_M.numel()));
  loss.backward();
  const nlohmann::json info = io::read_json(folder() / "info.json");
  EXPECT_NEAR(loss.item<double>(), info["loss_value"].get<double>(), 1e-5);
  EXPECT_EQ(slots.size(), grads.tensors().size());
  for (const WeightSlot& slot : slots) {
    const io::TensorView* expected = grads.find(slot.name);
    ASSERT_NE(expected, nullptr) << slot.name;
    EXPECT_LT(relative_error(slot.tensor->grad(), to_tensor(*expected)), 1e-4) << slot.name;
  }
}

TEST_P(ModelParity, PackedEqualsOneDocumentAtATime) {
  const io::SafetensorsFile io(folder() / "io.safetensors");
  const TokenStream packed = flatten(io).tokens;
  const Decoder model = decoder();
  const Tensor together = hidden_states(model, packed);
  for (std::size_t d = 0; d + 1 < packed.cu_seqlens.size(); ++d) {
    const std::int64_t begin = packed.cu_seqlens[d], count = packed.cu_seqlens[d + 1] - begin;
    const Tensor alone = hidden_states(model, {packed.ids_N.narrow(0, begin, count),
                                               packed.positions_N.narrow(0, begin, count),
                                               {0, count}});
    EXPECT_LT(relative_error(together.narrow(0, begin, count), alone), 1e-6);
  }
}

// The older spelling of the config (rope_theta, rope_scaling, torch_dtype) means the same model.
TEST_P(ModelParity, BothSpellingsOfTheConfigAgree) {
  const Spec five = spec_from_config(folder() / "config.json");
  const Spec four = spec_from_config(folder() / "config.v4.json");
  EXPECT_EQ(five.rope_theta, four.rope_theta);
  EXPECT_EQ(rope_frequencies(five), rope_frequencies(four));
  EXPECT_EQ(five.dtype, four.dtype);
}

INSTANTIATE_TEST_SUITE_P(Families, ModelParity, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : {"llama", "llama_rope_llama3"})
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()));

}  // namespace
}  // namespace hone::model
