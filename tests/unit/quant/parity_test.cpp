// Packed bytes, scales and results of bitsandbytes' CPU library.
#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/safetensors.h"
#include "kernels/packed/packed.h"
#include "model/weights.h"
#include "quant/maps.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::quant {
namespace {

using torch::Tensor;

/// The tensors of one folder of fixtures.
class Golden {
 public:
  explicit Golden(const std::string& folder)
      : folder_(test::fixture(folder)), file_(folder_ / "data.safetensors") {}

  Tensor operator[](const std::string& name) const { return model::to_tensor(*file_.find(name)); }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  nlohmann::json info() const { return io::read_json(folder_ / "info.json"); }

 private:
  std::filesystem::path folder_;
  io::SafetensorsFile file_;
};

void expect_same(const Tensor& got, const Tensor& expected, const std::string& what) {
  EXPECT_TRUE(got.scalar_type() == expected.scalar_type() &&
              at::equal(got.flatten(), expected.flatten()))
      << what << ": " << got.flatten().ne(expected.flatten()).sum().item<std::int64_t>() << " of "
      << expected.numel() << " differ";
}

class FourBit : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::has_fixture(folder())) GTEST_SKIP() << "not in the small set";
  }
  std::string folder() const { return std::string("quant/") + GetParam(); }
};

TEST_P(FourBit, BytesScalesAndNumbersAreThoseOfBitsandbytes) {
  const Golden golden(folder());
  const nlohmann::json info = golden.info();
  const Format format = parse_format(info["quant_type"]);
  expect_same(four_bit_map(format), golden["code"], "the map");
  expect_same(dynamic_map(), golden["nested_code"], "the scales' map");
  int seen = 0;
  for (const nlohmann::json& row : info["cases"]) {
    const std::string key = row["key"];
    if (!golden.has(key + ".packed")) continue;
    const bool bf16 = key.find(".bf16.") != std::string::npos;
    const auto dtype = bf16 ? torch::kBFloat16 : torch::kFloat32;
    const Tensor weight = golden[key.substr(0, key.find('.')) + ".weight"].to(dtype);
    const bool nested = !row["nested_blocksize"].is_null();
    const kernels::PackedMatrix packed = quantize(
        weight, {.format = format, .blocksize = info["blocksize"], .double_quantization = nested});
    expect_same(packed.codes, golden[key + ".packed"], key + ".packed");
    expect_same(packed.absmax, golden[key + ".absmax"], key + ".absmax");
    if (nested) {
      expect_same(packed.nested_absmax, golden[key + ".nested_absmax"], key + ".nested_absmax");
      expect_same(packed.offset, golden[key + ".offset"], key + ".offset");
    }
    expect_same(kernels::dequantize(packed, dtype).to(torch::kFloat32), golden[key + ".dequant"],
                key + ".dequant");
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

TEST_P(FourBit, ProductsAreThoseOfLinear4bit) {
  const Golden golden(folder());
  const Format format = parse_format(golden.info()["quant_type"]);
  for (int i = 0; golden.has(fmt::format("{}.weight", i)); ++i) {
    const std::string key = fmt::format("{}.linear.", i);
    if (!golden.has(key + "x")) continue;
    const kernels::PackedMatrix packed =
        quantize(golden[fmt::format("{}.weight", i)],
                 {.format = format, .blocksize = golden.info()["blocksize"]});
    for (const auto& [name, dtype, tolerance] :
         {std::tuple{"fp32", torch::kFloat32, 1e-6}, std::tuple{"bf16", torch::kBFloat16, 1e-2}}) {
      const Tensor y = golden[key + name + ".y"], dx = golden[key + name + ".dx"];
      const Tensor got = kernels::packed_product(golden[key + "x"].to(dtype), packed,
                                                 golden[key + "bias"].to(dtype));
      const Tensor g = torch::linspace(-1, 1, y.numel()).reshape(y.sizes()).to(dtype);
      const Tensor got_dx = kernels::packed_gradient(g, packed);
      EXPECT_LT((got.to(torch::kFloat32) - y).norm().item<double>() / y.norm().item<double>(),
                tolerance)
          << key << name;
      EXPECT_LT((got_dx.to(torch::kFloat32) - dx).norm().item<double>() / dx.norm().item<double>(),
                tolerance)
          << key << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FourBit,
                         testing::Values("nf4_b64", "nf4_b128", "fp4_b64", "fp4_b128"),
                         [](const auto& one) { return std::string(one.param); });

TEST(EightBit, BlocksAreThoseOfBitsandbytes) {
  const Golden golden("quant/int8_blockwise");
  expect_same(dynamic_map(), golden["code"], "the map");
  for (const nlohmann::json& row : golden.info()) {
    const std::string key = row["key"];
    const Tensor weight = golden[key.substr(0, key.find('.')) + ".weight"];
    const kernels::PackedMatrix packed =
        quantize(weight, {.format = Format::kInt8Blockwise, .blocksize = row["blocksize"]});
    expect_same(packed.codes, golden[key + ".q"], key + ".q");
    expect_same(packed.absmax, golden[key + ".absmax"], key + ".absmax");
    expect_same(kernels::dequantize(packed, torch::kFloat32), golden[key + ".dequant"],
                key + ".dequant");
  }
}

TEST(EightBit, RowsAreThoseOfLlmInt8) {
  const Golden golden("quant/int8_vectorwise");
  int i = 0;
  for (; golden.has(fmt::format("{}.x", i)); ++i) {
    const Tensor x = golden[fmt::format("{}.x", i)];
    const kernels::PackedMatrix packed = quantize(x.to(torch::kFloat16), {.format = Format::kInt8});
    expect_same(packed.codes.view(torch::kInt8), golden[fmt::format("{}.q", i)], "q");
    expect_same(packed.absmax, golden[fmt::format("{}.scale", i)], "scale");
  }
  EXPECT_GT(i, 0);
}

}  // namespace
}  // namespace hone::quant
