#include "quant/quantize.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <limits>

#include "base/error.h"
#include "kernels/packed/packed.h"
#include "quant/error.h"
#include "quant/maps.h"
#include "quant/merge.h"
#include "support/support.h"

namespace hone::quant {
namespace {

using kernels::dequantize;
using kernels::PackedMatrix;
using torch::Tensor;

constexpr Format kFormats[] = {Format::kNf4, Format::kFp4, Format::kInt8, Format::kInt8Blockwise};

Tensor random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed = 7) {
  torch::manual_seed(seed);
  return torch::randn({rows, columns}) * 0.05;
}

/// The widest gap between neighbouring numbers of a format, halved: nothing is further off.
double half_gap(Format format) {
  if (format == Format::kInt8) return 0.5 / 127;
  const Tensor map = format == Format::kInt8Blockwise ? dynamic_map() : four_bit_map(format);
  return std::get<0>(map.sort()).diff().max().item<double>() / 2;
}

/// Each element's block, as a scale of its own.
Tensor scales_of(const PackedMatrix& packed) {
  const Tensor blocks = torch::arange(packed.rows * packed.columns).div(packed.blocksize, "floor");
  return packed.absmax.index_select(0, blocks).reshape({packed.rows, packed.columns});
}

TEST(Quantize, NothingIsFurtherOffThanHalfAGap) {
  for (const Format format : kFormats)
    for (const auto& [rows, columns] : {std::pair{64, 128}, {7, 33}, {1, 1}, {3, 4097}}) {
      const Tensor weight = random_matrix(rows, columns);
      const PackedMatrix packed =
          quantize(weight, {.format = format, .double_quantization = false});
      const Tensor error = (dequantize(packed, torch::kFloat32) - weight).abs();
      // bins of the 8-bit format are 2/65535 wide; the rest is rounding
      const double slack = format == Format::kInt8Blockwise ? 1.6e-5 : 1e-6;
      EXPECT_LE((error / scales_of(packed)).max().item<double>(), half_gap(format) + slack)
          << format_name(format) << " " << rows << "x" << columns;
    }
}

TEST(Quantize, AgainChangesNothing) {
  // The 8-bit bins are wider than the smallest steps of their map, so that format is left out.
  for (const Format format : {Format::kNf4, Format::kFp4, Format::kInt8})
    for (const auto& [rows, columns] : {std::pair{96, 64}, {5, 51}}) {
      const Recipe recipe{.format = format, .double_quantization = false};
      const Tensor once =
          dequantize(quantize(random_matrix(rows, columns), recipe), torch::kFloat32);
      const PackedMatrix again = quantize(once, recipe);
      // int8's two constants, 127 and its rounded inverse, may turn the last bit
      EXPECT_TRUE(at::allclose(dequantize(again, torch::kFloat32), once, 3e-7, 0))
          << format_name(format);
    }
}

TEST(Quantize, ZerosStayZeros) {
  for (const Format format : kFormats)
    for (const bool nested : {false, true}) {
      const PackedMatrix packed =
          quantize(torch::zeros({5, 77}), {.format = format, .double_quantization = nested});
      EXPECT_LE(dequantize(packed, torch::kFloat32).abs().max().item<double>(), 1e-38)
          << format_name(format);
    }
}

TEST(Quantize, AMatrixWithoutRowsIsPackedToNothing) {
  for (const Format format : kFormats)
    EXPECT_EQ(
        dequantize(quantize(torch::zeros({0, 64}), {.format = format}), torch::kFloat32).sizes(),
        (std::vector<std::int64_t>{0, 64}));
}

TEST(Quantize, RefusesWhatIsNoNumber) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor weight = random_matrix(4, 64);
    weight[2][7] = bad;
    for (const Format format : kFormats)
      EXPECT_TRUE(
          test::contains(test::message_of<DataError>([&] { quantize(weight, {.format = format}); }),
                         "not finite"));
  }
  EXPECT_TRUE(
      test::contains(test::message_of<ConfigError>([] {
                       quantize(torch::zeros({2, 2}), {.format = Format::kNf4, .blocksize = 96});
                     }),
                     "96: expected a power of two from 32 to 4096"));
}

TEST(Quantize, ThreadsChangeNoBit) {
  const Tensor weight = random_matrix(1024, 2304);  // 36,864 scales: torch would share their sum
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const PackedMatrix alone = quantize(weight, {.format = Format::kNf4});
  at::set_num_threads(4);
  const PackedMatrix shared = quantize(weight, {.format = Format::kNf4});
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(alone.codes, shared.codes));
  EXPECT_TRUE(at::equal(alone.absmax, shared.absmax));
  EXPECT_TRUE(at::equal(alone.offset, shared.offset));
}

TEST(Packed, TakesTheBitsThatArePromised) {
  const PackedMatrix packed = quantize(random_matrix(1536, 576), {.format = Format::kNf4});
  // 4 bits, 8 a block of 64, 32 for 256 of these: 4.127 bits (arXiv:2305.14314, section 3)
  EXPECT_NEAR(8.0 * double(kernels::size_bytes(packed)) / (1536.0 * 576), 4.127, 1e-3);
}

TEST(Packed, AProductIsThatOfTheNumbers) {
  // 3000 x 1500 is cut into bands; 37 x 51 has odd rows, so that bytes and blocks span them
  for (const auto& [O, I] : {std::pair{37, 51}, {96, 64}, {3000, 1500}, {1, 1}})
    for (const Format format : kFormats) {
      const PackedMatrix packed = quantize(random_matrix(O, I), {.format = format});
      const Tensor x = random_matrix(9, I, 1).to(torch::kFloat64);
      const Tensor g = random_matrix(9, O, 2).to(torch::kFloat64);
      const Tensor bias = random_matrix(1, O, 3)[0].to(torch::kFloat64);
      const Tensor numbers = dequantize(packed, torch::kFloat64);
      EXPECT_TRUE(at::equal(numbers.to(torch::kFloat32), dequantize(packed, torch::kFloat32)));
      EXPECT_TRUE(at::allclose(kernels::packed_product(x, packed, bias), x.mm(numbers.t()) + bias,
                               1e-12, 1e-14))
          << format_name(format) << " " << O << "x" << I;
      EXPECT_TRUE(
          at::allclose(kernels::packed_product(x, packed, {}), x.mm(numbers.t()), 1e-12, 1e-14));
      EXPECT_TRUE(at::allclose(kernels::packed_gradient(g, packed), g.mm(numbers), 1e-12, 1e-14))
          << format_name(format) << " " << O << "x" << I;
    }
}

TEST(Packed, Bf16IsTheRoundedNumber) {
  for (const Format format : kFormats)
    for (const auto& [rows, columns] : {std::pair{37, 51}, {64, 576}}) {
      const PackedMatrix packed = quantize(random_matrix(rows, columns), {.format = format});
      EXPECT_TRUE(at::equal(dequantize(packed, torch::kBFloat16),
                            dequantize(packed, torch::kFloat32).to(torch::kBFloat16)))
          << format_name(format);
    }
}

TEST(Merge, PacksTheSumByTheBasesRecipe) {
  for (const Format format : kFormats) {
    const Recipe recipe{.format = format, .blocksize = 128, .double_quantization = false};
    const PackedMatrix base = quantize(random_matrix(48, 96), recipe);
    const Tensor update = random_matrix(48, 96, 11) * 0.1;
    const Merged merged = merge(base, update);
    const Tensor sum = dequantize(base, torch::kFloat32) + update;
    EXPECT_TRUE(at::equal(merged.matrix.codes, quantize(sum, recipe).codes));
    EXPECT_EQ(recipe_of(merged.matrix).format, format);
    const MatrixError expected = error_of(sum, dequantize(merged.matrix, torch::kFloat32));
    EXPECT_DOUBLE_EQ(merged.error.relative, expected.relative);
    EXPECT_GT(merged.error.relative, 0);
  }
}

TEST(MatrixErrors, CountWhatWasLost) {
  const Tensor exact = torch::zeros({1, 100});
  exact[0][3] = 10.0;
  const Tensor kept = exact.clone();
  kept[0][3] = 9.0;
  const MatrixError error = error_of(exact, kept);
  EXPECT_DOUBLE_EQ(error.largest, 1);
  EXPECT_DOUBLE_EQ(error.mean, 0.01);
  EXPECT_DOUBLE_EQ(error.relative, 0.1);
  EXPECT_EQ(error.outliers, 1);
}

}  // namespace
}  // namespace hone::quant
