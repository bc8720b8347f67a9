#include "compare.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

namespace hone::test {
namespace {

std::vector<at::Tensor> as_leaves(const std::vector<at::Tensor>& inputs, at::ScalarType dtype) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.to(dtype, false, true).requires_grad_(true));
  return leaves;
}

at::Tensor weights_like(const at::Tensor& value) {
  return normal(value.sizes(), 99, at::kBFloat16).to(value.scalar_type());
}

std::vector<at::Tensor> gradients(const at::Tensor& value, const std::vector<at::Tensor>& leaves) {
  return torch::autograd::grad({value}, leaves, {weights_like(value)});
}

double weighted_sum(const TensorFunction& function, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  const at::Tensor value = function(inputs);
  return (value * weights_like(value)).sum().item<double>();
}

}  // namespace

at::Tensor normal(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  return at::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(seed), options)
      .to(dtype)
      .to(at::kDouble);
}

void expect_within(const at::Tensor& got, const at::Tensor& reference, Bound bound,
                   const std::string& what) {
  ASSERT_EQ(got.sizes(), reference.sizes()) << what;
  if (reference.numel() == 0) return;
  const at::Tensor error = (got.to(at::kDouble) - reference).abs();
  const double rms = reference.square().mean().sqrt().item<double>();
  const at::Tensor excess =
      error / (reference.abs() * bound.relative + rms * bound.scaled + bound.absolute + 1e-300);
  const double worst = excess.max().item<double>();
  EXPECT_TRUE(worst <= 1) << what << ": " << worst << " times the bound; largest error "
                          << error.max().item<double>() << ", rms " << rms;
}

void expect_like_reference(const TensorFunction& fused, const TensorFunction& reference,
                           const std::vector<at::Tensor>& inputs, at::ScalarType dtype, Bound value,
                           Bound gradient) {
  const std::vector<at::Tensor> leaves = as_leaves(inputs, dtype);
  const std::vector<at::Tensor> exact_leaves = as_leaves(inputs, at::kDouble);
  const at::Tensor got = fused(leaves), expected = reference(exact_leaves);
  const std::string name = c10::toString(dtype);
  expect_within(got.detach(), expected.detach(), value, name + " value");
  const std::vector<at::Tensor> got_gradients = gradients(got, leaves);
  const std::vector<at::Tensor> expected_gradients = gradients(expected, exact_leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(got_gradients[i].scalar_type(), dtype);
    expect_within(got_gradients[i], expected_gradients[i], gradient,
                  name + " gradient of input " + std::to_string(i));
  }
}

void expect_gradients_like_differences(const TensorFunction& function,
                                       const std::vector<at::Tensor>& inputs) {
  const std::vector<at::Tensor> leaves = as_leaves(inputs, at::kDouble);
  const std::vector<at::Tensor> got = gradients(function(leaves), leaves);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor direction = normal(inputs[i].sizes(), 1000 + i, at::kDouble);
    std::vector<at::Tensor> ahead = inputs, behind = inputs;
    ahead[i] = inputs[i] + kStep * direction;
    behind[i] = inputs[i] - kStep * direction;
    const double difference =
        (weighted_sum(function, ahead) - weighted_sum(function, behind)) / (2 * kStep);
    const double derivative = (got[i] * direction).sum().item<double>();
    EXPECT_NEAR(derivative, difference, 1e-7 * (1 + std::abs(difference))) << "input " << i;
  }
}

std::vector<at::Tensor> value_and_gradients(const TensorFunction& function,
                                            const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_(true));
  const at::Tensor value = function(leaves);
  std::vector<at::Tensor> all = gradients(value, leaves);
  all.insert(all.begin(), value.detach());
  return all;
}

void expect_same_bits_for_any_threads(const TensorFunction& function,
                                      const std::vector<at::Tensor>& inputs) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const std::vector<at::Tensor> alone = value_and_gradients(function, inputs);
  for (const int threads : {2, 3, 5}) {
    at::set_num_threads(threads);
    const std::vector<at::Tensor> together = value_and_gradients(function, inputs);
    for (std::size_t i = 0; i < alone.size(); ++i)
      EXPECT_TRUE(at::equal(alone[i], together[i])) << threads << " threads, result " << i;
  }
  at::set_num_threads(before);
}

}  // namespace hone::test
