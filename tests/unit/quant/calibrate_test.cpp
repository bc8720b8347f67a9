#include "quant/calibrate.h"

#include <torch/types.h>

#include <vector>

#include "base/error.h"
#include "quant/integer_groups.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::quant {
namespace {

using kernels::dequantize;
using torch::Tensor;

constexpr Format kFormats[] = {Format::kNf4,  Format::kFp4,       Format::kInt8,
                               Format::kInt4, Format::kInt8Group, Format::kInt8Blockwise};

/// Inputs whose features go together and differ in size, as those of layers do.
Tensor correlated_inputs(std::int64_t tokens, std::int64_t features) {
  torch::manual_seed(3);
  const Tensor mixing = torch::randn({features / 4, features});
  const Tensor sizes = torch::exp(torch::randn({features}));
  return (torch::randn({tokens, features / 4}).mm(mixing) + torch::randn({tokens, features})) *
         sizes;
}

Tensor weight_with_outliers(std::int64_t rows, std::int64_t columns) {
  torch::manual_seed(5);
  const Tensor weight = torch::randn({rows, columns}) * 0.02;
  weight.select(1, 7).mul_(6);
  return weight;
}

TEST(Calibrate, OutputErrorIsThatOfTheProduct) {
  const Tensor x = correlated_inputs(200, 64), weight = weight_with_outliers(16, 64);
  const Tensor kept =
      dequantize(quantize(weight, {.format = Format::kInt4, .blocksize = 32}), torch::kFloat32);
  const Tensor wide = x.to(torch::kFloat64);
  const double expected = wide.mm((kept - weight).to(torch::kFloat64).t()).norm().item<double>() /
                          wide.mm(weight.to(torch::kFloat64).t()).norm().item<double>();
  EXPECT_NEAR(output_error(weight, kept, x.t().mm(x)), expected, 1e-4 * expected);
  EXPECT_EQ(output_error(weight, weight, x.t().mm(x)), 0);
}

TEST(Calibrate, AClipIsNeverWorseThanNone) {
  const Tensor x = correlated_inputs(300, 128), gram = x.t().mm(x);
  const Tensor weight = weight_with_outliers(48, 128);
  for (const Format format : kFormats) {
    const Recipe recipe{.format = format, .blocksize = 64};
    const Calibrated found = calibrate(weight, gram, recipe, Rounding::kClip);
    EXPECT_LE(found.output_error, found.nearest_error) << format_name(format);
    EXPECT_DOUBLE_EQ(output_error(weight, dequantize(found.matrix, torch::kFloat32), gram),
                     found.output_error)
        << format_name(format);
    EXPECT_EQ(recipe_of(found.matrix).format, format);
  }
  const Calibrated int4 = calibrate(weight, gram, {.format = Format::kInt4}, Rounding::kClip);
  EXPECT_LT(int4.clip, 1);
  EXPECT_LT(int4.output_error, 0.97 * int4.nearest_error);
}

TEST(Gptq, IsTheNearestWhereInputsHaveNothingInCommon) {
  const Tensor weight = weight_with_outliers(24, 128);
  for (const bool symmetric : {true, false}) {
    const Recipe recipe{.format = Format::kInt4, .blocksize = 32, .symmetric = symmetric};
    const Calibrated found = calibrate(weight, torch::eye(128) * 40, recipe, Rounding::kGptq);
    EXPECT_TRUE(at::equal(found.matrix.codes, quantize(weight, recipe).codes));
    EXPECT_DOUBLE_EQ(found.output_error, found.nearest_error);
  }
}

/// The algorithm as the paper has it: the inverse itself, a column taken out of it after each.
Tensor slow_gptq(const Tensor& weight, const Tensor& gram, const Recipe& recipe) {
  Tensor left = weight.to(torch::kFloat64).clone(), damped = gram.to(torch::kFloat64).clone();
  damped.diagonal().add_(0.01 * damped.diagonal().mean());
  Tensor inverse = damped.inverse();
  const Tensor numbers = torch::empty_like(left);
  GroupScales scales;
  for (std::int64_t c = 0; c < left.size(1); ++c) {
    if (c % recipe.blocksize == 0)
      scales = group_scales(left.narrow(1, c, recipe.blocksize).to(torch::kFloat32).unsqueeze(1),
                            recipe);
    const Tensor scale = scales.scales.to(torch::kFloat64).view({-1});
    const Tensor zero = scales.zeros.defined() ? scales.zeros.to(torch::kFloat64).view({-1})
                                               : torch::zeros_like(scale);
    const Tensor integers = (left.select(1, c) / scale + zero).round().clamp(-8, 7);
    numbers.select(1, c).copy_((integers - zero) * scale);
    const Tensor error = (left.select(1, c) - numbers.select(1, c)) / inverse[c][c];
    left.sub_(error.outer(inverse[c]));
    inverse = inverse - inverse[c].outer(inverse[c]) / inverse[c][c];
    // What is taken out stays out.
    inverse.select(0, c).zero_();
    inverse.select(1, c).zero_();
    inverse[c][c] = 1;
  }
  return numbers;
}

TEST(Gptq, IsThePapersAlgorithm) {
  const Tensor x = correlated_inputs(400, 96), gram = x.t().mm(x);
  const Tensor weight = weight_with_outliers(16, 96);
  for (const bool symmetric : {true, false}) {
    const Recipe recipe{.format = Format::kInt4, .blocksize = 32, .symmetric = symmetric};
    const Calibrated found = calibrate(weight, gram, recipe, Rounding::kGptq);
    const Tensor got = dequantize(found.matrix, torch::kFloat64);
    const Tensor expected = slow_gptq(weight, gram, recipe);
    // fp32 here, fp64 there: a number near the middle of two integers may go to the other, and
    // what follows in its row with it
    const double differing =
        (got - expected).abs().gt(1e-6).to(torch::kFloat64).mean().item<double>();
    EXPECT_LT(differing, 0.02);
    EXPECT_NEAR(found.output_error, output_error(weight, expected, gram),
                0.02 * found.output_error);
  }
}

TEST(Gptq, LosesLessThanTheNearest) {
  const Tensor x = correlated_inputs(600, 128), gram = x.t().mm(x);
  const Tensor weight = weight_with_outliers(64, 128);
  const Calibrated found = calibrate(weight, gram, {.format = Format::kInt4}, Rounding::kGptq);
  EXPECT_LT(found.output_error, 0.8 * found.nearest_error);
}

TEST(Gptq, TakesInputsThatAreAlwaysZeroAndLayersThatSawNothing) {
  Tensor x = correlated_inputs(300, 64);
  x.select(1, 11).zero_();
  const Tensor weight = weight_with_outliers(8, 64);
  const Recipe recipe{.format = Format::kInt4, .blocksize = 32};
  const Calibrated found = calibrate(weight, x.t().mm(x), recipe, Rounding::kGptq);
  EXPECT_LE(found.output_error, found.nearest_error);
  for (const Rounding rounding : {Rounding::kClip, Rounding::kGptq})
    EXPECT_TRUE(at::equal(calibrate(weight, torch::zeros({64, 64}), recipe, rounding).matrix.codes,
                          quantize(weight, recipe).codes));
}

TEST(Gptq, RoundsIntegersByGroupOnly) {
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([] {
        calibrate(torch::randn({4, 64}), torch::eye(64), {.format = Format::kNf4}, Rounding::kGptq);
      }),
      "not nf4"));
}

}  // namespace
}  // namespace hone::quant
