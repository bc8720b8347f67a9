#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "adapters/dora_linear.h"
#include "adapters/lora_linear.h"
#include "adapters/low_rank.h"
#include "kernels/packed/packed.h"
#include "quant/quantize.h"

namespace hone::adapters {
namespace {

/// Counts what LibTorch allocates on this thread, and the most of it at a time.
class Meter final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    held_ += size;
    peak_ = std::max(peak_, held_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t peak() const { return peak_; }
  std::int64_t held() const { return held_; }

 private:
  std::int64_t held_ = 0, peak_ = 0;
};

constexpr std::int64_t kSize = 512, kLayers = 8, kTokens = 4, kRank = 2;

std::int64_t peak_of_a_step(const std::vector<model::Linear>& layers) {
  const Tensor a = torch::randn({kRank, kSize}).requires_grad_();
  const Tensor b = torch::randn({kSize, kRank}).requires_grad_();
  const auto meter = std::make_shared<Meter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
  Tensor x = torch::randn({kTokens, kSize}).requires_grad_();
  for (const model::Linear& layer : layers) x = lora_linear(x, layer, {}, a, b, 0.1, 0, {});
  x.sum().backward();
  return meter->peak();
}

TEST(PackedMemory, AStepHoldsOneDequantisedWeightAtATime) {
  std::vector<model::Linear> packed(kLayers);
  for (model::Linear& layer : packed)
    layer.packed = std::make_shared<kernels::PackedMatrix>(
        quant::quantize(torch::randn({kSize, kSize}) / 20, {.format = quant::Format::kNf4}));
  constexpr std::int64_t kWeight = kSize * kSize * 4;
  const std::int64_t peak = peak_of_a_step(packed);
  EXPECT_GE(peak, kWeight);  // else the meter sees nothing
  EXPECT_LE(peak, kWeight + kWeight / 2);
}

/// What a layer with two projections and a gated product keeps for its backward pass.
std::int64_t kept_by_gated_pair(const model::LinearAdapter& adapter, const model::Linear& base) {
  const Tensor x = torch::randn({kTokens, kSize}).requires_grad_();
  adapter.forward(x, base);  // what is made once, DoRA's norms, is not counted
  const auto meter = std::make_shared<Meter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
  const Tensor product = adapter.forward(x, base) * adapter.forward(x, base);
  return meter->held();
}

TEST(DoraMemory, KeepsNoSecondCopyOfAnOutputThatIsKeptAnyway) {
  model::Linear base;
  base.weight = torch::randn({kSize, kSize}) / 20;
  const Tensor a = torch::randn({kRank, kSize}).requires_grad_();
  const Tensor b = torch::randn({kSize, kRank}).requires_grad_();
  const Tensor magnitude = base.weight.norm(2, 1).requires_grad_();
  const auto lora = low_rank_adapter([&] { return Factors{a, b, {}}; }, 0.1, {});
  const auto dora = dora_adapter({a, b, magnitude, {}}, 0.1, {});
  const std::int64_t of_lora = kept_by_gated_pair(*lora, base);
  EXPECT_GT(of_lora, 2 * kTokens * kSize * 4);  // else the meter sees nothing
  // Each of the two may keep its scale, [out], beside what LoRA keeps; an output is [kTokens, out].
  EXPECT_LE(kept_by_gated_pair(*dora, base), of_lora + 2 * 2 * kSize * 4);
}

}  // namespace
}  // namespace hone::adapters
