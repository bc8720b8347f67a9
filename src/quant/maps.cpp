#include "quant/maps.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/quantize/arithmetic.h"

namespace hone::quant {
namespace {

constexpr std::array<float, 16> kNf4 = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

// Twelfths: the largest number of the format is 12 in units of its smallest exponent.
constexpr std::array<float, 16> kFp4 = {
    0.0f, 0.0625f / 12,  8.0f / 12,  12.0f / 12,  4.0f / 12,  6.0f / 12,  2.0f / 12,  3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -12.0f / 12, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12,
};

const std::array<float, 16>& values_of(Format format) {
  HONE_ASSERT(is_four_bit(format));
  return format == Format::kNf4 ? kNf4 : kFp4;
}

Levels levels_of(Format format) {
  const std::array<float, 16>& values = values_of(format);
  Levels levels{};
  for (std::uint8_t i = 0; i < 16; ++i) levels.order[i] = i;
  std::stable_sort(levels.order.begin(), levels.order.end(),
                   [&](std::uint8_t a, std::uint8_t b) { return values[a] < values[b]; });
  for (std::size_t i = 0; i < 15; ++i)
    levels.bounds[i] = (values[levels.order[i]] + values[levels.order[i + 1]]) / 2;
  return levels;
}

at::Tensor make_dynamic_map() {
  constexpr int kDecades = 7;
  std::vector<float> values = {0.0f, 1.0f};
  for (int decade = 0; decade < kDecades; ++decade) {
    const torch::Tensor edges = torch::linspace(0.1, 1, (1 << decade) + 1, torch::kFloat32);
    const torch::Tensor middles = (edges.slice(0, 0, -1) + edges.slice(0, 1)) / 2.0;
    const torch::Tensor magnitudes = middles * std::pow(10.0, decade - (kDecades - 1));
    for (std::int64_t i = 0; i < magnitudes.numel(); ++i) {
      values.push_back(magnitudes[i].item<float>());
      values.push_back(-magnitudes[i].item<float>());
    }
  }
  std::sort(values.begin(), values.end());
  return torch::tensor(values, torch::kFloat32);
}

std::vector<std::uint8_t> make_dynamic_bins() {
  const float* const map = dynamic_map().const_data_ptr<float>();
  std::vector<std::uint8_t> bins(kernels::kEightBitBins);
  int code = 0;
  for (int i = 0; i < kernels::kEightBitBins; ++i) {
    const float middle = -1.0f + (2.0f * float(i)) / float(kernels::kEightBitBins - 1);
    while (code < 255 && 0.5f * (map[code] + map[code + 1]) < middle) ++code;
    bins[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(code);
  }
  return bins;
}

}  // namespace

const at::Tensor& four_bit_map(Format format) {
  const auto make = [](Format of) {
    return torch::tensor(at::ArrayRef<float>(values_of(of)), torch::kFloat32);
  };
  static const at::Tensor nf4 = make(Format::kNf4), fp4 = make(Format::kFp4);
  return format == Format::kNf4 ? nf4 : fp4;
}

const Levels& four_bit_levels(Format format) {
  static const Levels nf4 = levels_of(Format::kNf4), fp4 = levels_of(Format::kFp4);
  return format == Format::kNf4 ? nf4 : fp4;
}

const at::Tensor& dynamic_map() {
  static const at::Tensor map = make_dynamic_map();
  return map;
}

const at::Tensor& integer_map(Format format) {
  static const at::Tensor four = torch::arange(-8, 8, torch::kFloat32),
                          eight = torch::arange(-128, 128, torch::kFloat32);
  HONE_ASSERT(is_integer_group(format));
  return format == Format::kInt4 ? four : eight;
}

const at::Tensor& map_of(Format format) {
  if (format == Format::kInt8Blockwise) return dynamic_map();
  return is_integer_group(format) ? integer_map(format) : four_bit_map(format);
}

const std::vector<std::uint8_t>& dynamic_bins() {
  static const std::vector<std::uint8_t> bins = make_dynamic_bins();
  return bins;
}

}  // namespace hone::quant
