#include "adapters/start.h"

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/philox.h"

namespace hone::adapters {
namespace {

/// Numbers in [0, 1), each a function of seed, stream and its place alone.
Tensor uniform_numbers(const StartContext& context) {
  const Tensor tensor = torch::empty(context.shape, torch::kFloat32);
  const Philox random(context.seed);
  const auto stream =
      (static_cast<std::uint64_t>(RandomStream::kAdapterInit) << 32) | context.stream;
  float* out = tensor.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); i += 4) {
    const auto words = random(static_cast<std::uint64_t>(i / 4), stream);
    for (std::int64_t j = 0; j < 4 && i + j < tensor.numel(); ++j)
      out[i + j] = Philox::uniform(words.w[j]);
  }
  return tensor;
}

}  // namespace

Start constant(double value) {
  return [value](const StartContext& context) {
    return torch::full(context.shape, value, torch::kFloat32);
  };
}

Start zeros() { return constant(0); }

Start uniform(double bound) {
  return [bound](const StartContext& context) {
    return uniform_numbers(context).mul_(2).sub_(1).mul_(bound);
  };
}

Start kaiming_uniform() {
  return [](const StartContext& context) {
    return uniform(1 / std::sqrt(double(context.shape.at(1))))(context);
  };
}

Start normal(double deviation) {
  return [deviation](const StartContext& context) {
    std::int64_t count = 1;
    for (const std::int64_t extent : context.shape) count *= extent;
    StartContext pairs = context;
    pairs.shape = {2, count};
    const Tensor numbers = uniform_numbers(pairs);
    const Tensor radius = (-2 * (1 - numbers[0]).log()).sqrt();  // 1 − u is never 0
    return (radius * (2 * std::numbers::pi * numbers[1]).cos() * deviation).view(context.shape);
  };
}

Start norms_of_rows() {
  return [](const StartContext& context) {
    HONE_ASSERT(context.base_weight);
    return context.base_weight().norm(2, 1).to(torch::kCPU);
  };
}

}  // namespace hone::adapters
