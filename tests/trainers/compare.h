#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/safetensors.h"
#include "model/weights.h"

namespace hone::test {

/// Euclidean distance of all tensors of two files over the size of the second one's.
inline double relative_difference(const std::filesystem::path& a, const std::filesystem::path& b) {
  const io::SafetensorsFile left(a), right(b);
  EXPECT_EQ(left.tensors().size(), right.tensors().size());
  double difference = 0, size = 0;
  for (const io::TensorView& view : left.tensors()) {
    const io::TensorView* other = right.find(view.name);
    if (other == nullptr) {
      ADD_FAILURE() << view.name << " is missing";
      continue;
    }
    const torch::Tensor x = model::to_tensor(view).to(torch::kFloat64);
    const torch::Tensor y = model::to_tensor(*other).to(torch::kFloat64);
    difference += (x - y).square().sum().item<double>();
    size += y.square().sum().item<double>();
  }
  return std::sqrt(difference / size);
}

}  // namespace hone::test
