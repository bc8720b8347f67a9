// What a step's work, memory and gradients are counted as.
#include "engine/step_meter.h"

#include <cmath>

#include "engine/tensor_memory.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/support.h"

namespace hone::engine {
namespace {

using torch::Tensor;

model::Decoder tiny() { return model::load_decoder(test::fixture("train/_base"), {}); }

/// The matrices of the tiny model's two layers: hidden 64, four heads of 16, two of keys, 96
/// inside.
constexpr double kLayerWeights = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96);
constexpr double kHeadWeights = 256 * 64;

TEST(StepFlops, OfFullTrainingAreSixAWeightAndTokenAndTwelveAPair) {
  model::Decoder decoder = tiny();
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) slot.tensor->requires_grad_();
  const ModelWork work = model_work(decoder, model::parameter_count(decoder.spec));
  // Documents of 3 and 5 tokens: 6 and 15 pairs; four of the tokens are trained on.
  const double attention = 2 * 12 * 64 * (6 + 15);
  EXPECT_DOUBLE_EQ(step_flops(work, {{3, 5}, 4}),
                   6 * 8 * kLayerWeights + 6 * 4 * kHeadWeights + attention);
}

TEST(StepFlops, OfAFrozenBaseLackTheGradientsOfItsWeights) {
  model::Decoder decoder = tiny();
  const ModelWork work = model_work(decoder, 1000);
  const double attention = 2 * 12 * 64 * 6;
  EXPECT_DOUBLE_EQ(step_flops(work, {{3}, 2}),
                   3 * (4 * kLayerWeights + 6 * 1000) + 4 * 2 * kHeadWeights + attention);
}

TEST(StepFlops, CountTheWindowOfAttentionNotTheDocument) {
  ModelWork work;
  work.windows = {2};
  work.attention_width = 1;
  EXPECT_DOUBLE_EQ(step_flops(work, {{5}, 0}), 12 * (1 + 2 + 2 + 2 + 2));
  EXPECT_DOUBLE_EQ(step_flops(work, {{1}, 0}), 12);
}

TEST(MatrixPeak, IsMeasuredOnceAndIsNoLessThanAProductShows) {
  const double peak = matrix_peak_flops(torch::kCPU, torch::kFloat32);
  EXPECT_GT(peak, 1e9);
  EXPECT_EQ(matrix_peak_flops(torch::kCPU, torch::kFloat32), peak);
}

TEST(TensorMemory, CountsWhatComesAndGoes) {
  tensor_memory::count();
  tensor_memory::begin_peak();
  const std::int64_t before = tensor_memory::bytes();
  {
    const Tensor kept = torch::empty({1 << 18});
    { const Tensor passing = torch::empty({1 << 19}); }
    EXPECT_NEAR(double(tensor_memory::bytes() - before), 1 << 20, 1 << 14);
  }
  EXPECT_EQ(tensor_memory::bytes(), before);
  EXPECT_NEAR(double(tensor_memory::peak_bytes() - before), 3 << 20, 1 << 14);
  tensor_memory::begin_peak();
  EXPECT_EQ(tensor_memory::peak_bytes(), before);
}

TEST(GroupNorms, JoinTheLayersOfAKindAndTogetherAreTheWhole) {
  const auto parameter = [](const std::string& name, double gradient) {
    Tensor leaf = torch::zeros({2}, torch::kFloat32).requires_grad_();
    leaf.mutable_grad() = torch::full({2}, gradient);
    return optim::Parameter{name, leaf, true};
  };
  report::Metrics metrics;
  add_group_norms(
      {parameter("model.layers.0.self_attn.q_proj.lora_A.weight", 3),
       parameter("model.layers.11.self_attn.q_proj.lora_A.weight", 4),
       parameter("model.layers.0.mlp.up_proj.lora_B.weight", 1), parameter("model.norm.weight", 2)},
      distributed::Group(), metrics);
  const report::Metrics expected = {{"grad_norm/model.norm", std::sqrt(8.0)},
                                    {"grad_norm/q_proj.lora_A", std::sqrt(50.0)},
                                    {"grad_norm/up_proj.lora_B", std::sqrt(2.0)}};
  EXPECT_EQ(metrics, expected);
}

}  // namespace
}  // namespace hone::engine
