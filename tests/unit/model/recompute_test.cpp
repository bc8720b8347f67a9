#include "model/recompute.h"

#include "base/interrupt.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::model {
namespace {

using test::FixtureBatch;

PutBack nothing_to_put_back() {
  return [] {};
}

std::shared_ptr<const Recomputation> every(const Decoder& decoder, std::size_t k) {
  Recomputation recomputation{.layers = {}, .note_state = nothing_to_put_back};
  for (std::size_t i = 0; i < decoder.layers.size(); ++i)
    recomputation.layers.push_back(i % k == 0);
  return std::make_shared<const Recomputation>(std::move(recomputation));
}

/// The loss on a fixture's batch and the gradient of every weight, [0] being the loss.
std::vector<Tensor> gradients(Decoder& model, const FixtureBatch& batch, bool of_all_layers) {
  std::vector<Tensor> found;
  std::vector<WeightSlot> slots = weight_slots(model);
  for (WeightSlot& slot : slots) {
    const bool is_trained = of_all_layers || slot.name.find("layers.1.") != std::string::npos;
    *slot.tensor = slot.tensor->detach().clone().requires_grad_(is_trained);
  }
  tie_head(model);
  // Two micro-batches, as accumulation has them.
  for (int i = 0; i < 2; ++i) {
    const Tensor hidden = hidden_states(model, batch.tokens);
    const Tensor logps = token_logps(model, hidden, batch.rows_M, batch.targets_M);
    const Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), 7.0);
    loss.backward();
    found.push_back(loss.detach());
  }
  for (WeightSlot& slot : slots) found.push_back(slot.tensor->grad());
  return found;
}

class Recompute : public testing::TestWithParam<const char*> {};

TEST_P(Recompute, GivesTheSameBitsInEveryFamily) {
  const auto folder = test::fixture(std::string("models/") + GetParam());
  const io::SafetensorsFile io(folder / "io.safetensors");
  const FixtureBatch batch = test::flatten(io);
  for (const bool of_all_layers : {true, false}) {
    Decoder model = load_decoder(folder, {});
    const std::vector<Tensor> expected = gradients(model, batch, of_all_layers);
    for (const std::size_t k : {1u, 2u}) {
      model.recomputation = every(model, k);
      const std::vector<Tensor> found = gradients(model, batch, of_all_layers);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].defined(), expected[i].defined()) << "tensor " << i;
        if (!found[i].defined()) continue;
        EXPECT_TRUE(found[i].equal(expected[i])) << "tensor " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Recompute, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : {"llama", "granite", "olmo2", "smollm3",
                                                    "gemma2", "mixtral", "phi3", "qwen3"})
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& one) { return std::string(one.param); });

TEST(Recompute, PutsTheStateOfTheForwardPassBackAndThenThatOfNow) {
  double factor = 2;
  const auto note = [&factor]() -> PutBack { return [&factor, then = factor] { factor = then; }; };
  const Tensor weight = torch::tensor({3.0}).requires_grad_();
  const Tensor x = torch::tensor({5.0}).requires_grad_();
  const Tensor y = recomputed([&](const Tensor& in) { return in * weight * factor; }, x, note);
  EXPECT_EQ(y.item<double>(), 30);
  factor = 100;  // the next micro-batch
  y.backward();
  EXPECT_EQ(weight.grad().item<double>(), 10);
  EXPECT_EQ(x.grad().item<double>(), 6);
  EXPECT_EQ(factor, 100);
}

TEST(Recompute, AnExceptionOfTheSecondPassReachesTheCaller) {
  int passes = 0;
  const Tensor x = torch::tensor({5.0}).requires_grad_();
  const Tensor y = recomputed(
      [&](const Tensor& in) {
        if (++passes == 2) throw Interrupted("stop");
        return in * 2;
      },
      x, nothing_to_put_back);
  EXPECT_THROW(y.backward(), Interrupted);
}

// What is kept of a chain of layers does not grow with what is inside them.
TEST(Recompute, KeepsTheInputOnly) {
  std::vector<std::weak_ptr<torch::autograd::Node>> inside;
  const Tensor x = torch::ones({4}).requires_grad_();
  const Tensor y = recomputed(
      [&](const Tensor& in) {
        const Tensor half = in * 2;
        inside.push_back(half.grad_fn());
        return half.exp();
      },
      x, nothing_to_put_back);
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_TRUE(inside[0].expired());
  y.sum().backward();
  EXPECT_EQ(inside.size(), 2u);
}

}  // namespace
}  // namespace hone::model
