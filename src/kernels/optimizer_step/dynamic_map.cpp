#include "kernels/optimizer_step/dynamic_map.h"

#include <torch/types.h>

#include <cmath>

namespace hone::kernels {

at::Tensor dynamic_map(bool is_signed) {
  constexpr int kDecades = 7;
  std::vector<at::Tensor> values = {torch::zeros({1}), torch::ones({1})};
  for (int decade = 0; decade < kDecades; ++decade) {
    const std::int64_t fractions = std::int64_t{1} << (is_signed ? decade : decade + 1);
    const at::Tensor borders = torch::linspace(0.1, 1.0, fractions + 1, torch::kFloat32);
    const at::Tensor middles = (borders.slice(0, 0, fractions) + borders.slice(0, 1)) / 2.0;
    values.push_back(middles * std::pow(10.0, decade - kDecades + 1));
    if (is_signed) values.push_back(-values.back());
  }
  return std::get<0>(torch::cat(values).sort());
}

}  // namespace hone::kernels
