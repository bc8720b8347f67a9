#include "quant/integer_groups.h"

#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "quant/error.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::quant {
namespace {

using kernels::dequantize;
using kernels::PackedMatrix;
using torch::Tensor;

Tensor random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed = 7) {
  torch::manual_seed(seed);
  return torch::randn({rows, columns}) * 0.05;
}

std::vector<Recipe> all_recipes(std::int64_t size) {
  std::vector<Recipe> recipes;
  for (const Format format : {Format::kInt4, Format::kInt8Group})
    for (const bool symmetric : {true, false})
      recipes.push_back({.format = format, .blocksize = size, .symmetric = symmetric});
  return recipes;
}

/// Each number's group's scale.
Tensor scales_of(const PackedMatrix& packed) {
  return packed.absmax.repeat_interleave(packed.blocksize).view({packed.rows, packed.columns});
}

TEST(IntegerGroups, ArePackedAsByHand) {
  // 7.5 scales of 0.5 reach 3.75: halves are k + 0.5 scales apart from integers nowhere but at
  // ends.
  std::vector<float> numbers(32, 0.0f);
  numbers[0] = -3.75f;  // −7.5: ties go to the even −8
  numbers[1] = 3.75f;   // 7.5 is 8, cut to 7
  numbers[2] = 0.5f;
  numbers[3] = -0.25f;  // −0.5: to the even 0
  const Tensor weight = torch::tensor(numbers).view({1, 32});
  const PackedMatrix packed = quantize(weight, {.format = Format::kInt4, .blocksize = 32});
  EXPECT_EQ(packed.absmax.item<float>(), 0.5f);
  EXPECT_EQ(packed.codes[0].item<int>(), 0 << 4 | 15);
  EXPECT_EQ(packed.codes[1].item<int>(), 9 << 4 | 8);
  const Tensor back = dequantize(packed, torch::kFloat32);
  EXPECT_EQ(back[0][0].item<float>(), -4.0f);
  EXPECT_EQ(back[0][1].item<float>(), 3.5f);
  EXPECT_EQ(back[0][2].item<float>(), 0.5f);
  EXPECT_EQ(back[0][3].item<float>(), 0.0f);
  EXPECT_TRUE(at::equal(places_cut(weight, packed), torch::tensor({1}, torch::kInt64)));
}

TEST(IntegerGroups, NothingUncutIsFurtherOffThanHalfAScale) {
  for (const std::int64_t size : {32, 64, 128})
    for (const Recipe& recipe : all_recipes(size)) {
      const Tensor weight = random_matrix(24, 384);
      const PackedMatrix packed = quantize(weight, recipe);
      const Tensor off = (dequantize(packed, torch::kFloat32) - weight).abs() / scales_of(packed);
      const Tensor cut = places_cut(weight, packed);
      EXPECT_LE(off.flatten().index_fill(0, cut, 0).max().item<double>(), 0.5 + 1e-5)
          << describe(recipe);
      // An end is off by half a step, and by what bf16 takes from the scale: up to 1/256 of all
      // steps between the group's ends, or of those from 0 to one of them.
      const double steps = recipe.format == Format::kInt4 ? 15 : 255;
      const double reach = recipe.symmetric ? steps / 2 : steps;
      EXPECT_LE(off.max().item<double>(), 0.5 + reach / 256 + 1e-5) << describe(recipe);
      EXPECT_LT(double(cut.numel()), 0.05 * double(weight.numel())) << describe(recipe);
    }
}

TEST(IntegerGroups, AZeroPointHelpsWhereGroupsAreLopsided) {
  const Tensor weight = random_matrix(16, 256).abs();
  const auto error = [&](bool symmetric) {
    const Recipe recipe{.format = Format::kInt4, .blocksize = 64, .symmetric = symmetric};
    return error_of(weight, dequantize(quantize(weight, recipe), torch::kFloat32)).relative;
  };
  EXPECT_LT(error(false), 0.7 * error(true));
}

TEST(IntegerGroups, ZerosStayZeros) {
  for (const Recipe& recipe : all_recipes(32))
    EXPECT_EQ(dequantize(quantize(torch::zeros({3, 64}), recipe), torch::kFloat32)
                  .abs()
                  .max()
                  .item<double>(),
              0)
        << describe(recipe);
}

TEST(IntegerGroups, TellTheirRecipe) {
  for (const Recipe& recipe : all_recipes(64)) {
    const Recipe told = recipe_of(quantize(random_matrix(4, 128), recipe));
    EXPECT_EQ(told.format, recipe.format);
    EXPECT_EQ(told.blocksize, 64);
    EXPECT_EQ(told.symmetric, recipe.symmetric);
  }
}

TEST(IntegerGroups, DivideTheRows) {
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([] {
                               quantize(random_matrix(2, 96),
                                        {.format = Format::kInt4, .blocksize = 64});
                             }),
                             "have 96 weights, which do not divide into groups of 64"));
}

TEST(IntegerGroups, AProductIsThatOfTheNumbers) {
  for (const Recipe& recipe : all_recipes(32)) {
    const PackedMatrix packed = quantize(random_matrix(600, 1024), recipe);
    const Tensor x = random_matrix(5, 1024, 1).to(torch::kFloat64);
    const Tensor g = random_matrix(5, 600, 2).to(torch::kFloat64);
    const Tensor numbers = dequantize(packed, torch::kFloat64);
    EXPECT_TRUE(
        at::allclose(kernels::packed_product(x, packed, {}), x.mm(numbers.t()), 1e-12, 1e-14));
    EXPECT_TRUE(at::allclose(kernels::packed_gradient(g, packed), g.mm(numbers), 1e-12, 1e-14));
    EXPECT_TRUE(at::equal(dequantize(packed, torch::kBFloat16),
                          dequantize(packed, torch::kFloat32).to(torch::kBFloat16)));
  }
}

}  // namespace
}  // namespace hone::quant
