#include "kernels/optimizer_step/optimizer_step.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>

#include "base/error.h"
#include "kernels/optimizer_step/arithmetic.h"
#include "kernels/optimizer_step/dynamic_map.h"

namespace hone::kernels {
namespace {

AdamRule adam() { return {0.9f, 0.999f, 1e-8f, 0.1f, 0.001f, 10.0f, 31.6f}; }

// Elements know nothing of each other, so neither where chunks are cut nor the number of threads
// may show. Sizes below, at and above a chunk.
TEST(OptimizerStep, IsTheSameForAnyCutAndNumberOfThreads) {
  const int threads = at::get_num_threads();
  torch::manual_seed(1);
  const std::int64_t size = 3 * kStepChunk + 7;
  const at::Tensor start = torch::randn({size}), gradient = torch::randn({size});
  const auto run = [&](int thread_count, std::int64_t pieces) {
    at::set_num_threads(thread_count);
    const at::Tensor p = start.clone(), m = torch::zeros({size}), v = torch::zeros({size});
    std::vector<SteppedTensor> tensors;
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::int64_t a = size * i / pieces, b = size * (i + 1) / pieces;
      tensors.push_back({p.slice(0, a, b),
                         gradient.slice(0, a, b),
                         {m.slice(0, a, b), v.slice(0, a, b)},
                         {0.01f, 0.999f, 0.0f}});
    }
    optimizer_step(std::span<const SteppedTensor>(tensors), adam());
    return p;
  };
  const at::Tensor whole = run(1, 1);
  EXPECT_FALSE(whole.equal(start));
  EXPECT_TRUE(run(4, 1).equal(whole));
  EXPECT_TRUE(run(2, 13).equal(whole));
  at::set_num_threads(threads);
}

TEST(OptimizerStep, NearestCodeIsTheNearest) {
  for (const bool is_signed : {true, false}) {
    const at::Tensor map = dynamic_map(is_signed);
    ASSERT_EQ(map.numel(), 256);
    const float* values = map.const_data_ptr<float>();
    const at::Tensor x = torch::cat(
        {torch::linspace(is_signed ? -1 : 0, 1, 20001), torch::logspace(-8, 0, 2001), map});
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const float value = x[i].item<float>();
      float nearest = std::numeric_limits<float>::infinity();
      for (int code = 0; code < 256; ++code)
        nearest = std::min(nearest, std::abs(values[code] - value));
      // A tie goes either way, and so does what is one rounding of the midpoint away from it.
      EXPECT_LE(std::abs(values[nearest_code(values, value)] - value),
                nearest + 2.4e-7f * std::abs(value))
          << value;
    }
  }
}

// A block's largest element keeps its value to the last bit, and a block of zeros stays zero.
TEST(OptimizerStep, BlockwiseStatesKeepTheirScale) {
  const std::int64_t size = 2 * kStepBlock + 100;
  const at::Tensor p = torch::zeros({size}), gradient = torch::zeros({size});
  gradient.slice(0, kStepBlock, size).copy_(torch::linspace(-3, 5, size - kStepBlock));
  const at::Tensor codes = torch::full({size}, 127, torch::kUInt8), absmax = torch::zeros({3});
  const std::vector<SteppedTensor> tensors = {{p, gradient, {codes, absmax}, {0.1f, 1.0f, 0.0f}}};
  blockwise_optimizer_step(std::span<const SteppedTensor>(tensors),
                           LionRule{0.0f, 0.5f, 1.0f, 0.5f}, {dynamic_map(true)});
  EXPECT_EQ(absmax[0].item<float>(), 0.0f);
  EXPECT_EQ(absmax[2].item<float>(), 2.5f);
  EXPECT_EQ(codes[size - 1].item<int>(), 255);
  EXPECT_TRUE(codes.slice(0, 0, kStepBlock).eq(127).all().item<bool>());
  EXPECT_TRUE(torch::allclose(p, -0.1 * gradient.sign()));
}

TEST(OptimizerStep, RefusesWhatDoesNotFit) {
  const at::Tensor p = torch::zeros({4});
  const std::vector<SteppedTensor> wrong_gradient = {{p, torch::zeros({3}), {}, {}}};
  EXPECT_THROW(optimizer_step(std::span<const SteppedTensor>(wrong_gradient), PlainSgdRule{}),
               ShapeError);
  const std::vector<SteppedTensor> no_states = {{p, p.clone(), {}, {}}};
  EXPECT_THROW(optimizer_step(std::span<const SteppedTensor>(no_states), adam()), ShapeError);
}

}  // namespace
}  // namespace hone::kernels
