#include "io/gguf.h"

#include <ggml.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::contains;
using test::message_of;

std::vector<float> values_of(const GgufTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(num_rows(tensor) * row_size(tensor)));
  dequantize(tensor, values.data());
  return values;
}

TEST(Gguf, ReadsMetadataOfEveryType) {
  const GgufFile file(test::fixture("io/types.gguf"));
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.get_string("general.architecture"), "test");
  EXPECT_EQ(file.get_u64("test.u8"), 200u);
  EXPECT_EQ(file.get_u64("test.u16"), 60000u);
  EXPECT_EQ(file.get_u64("test.u32"), 4000000000u);
  EXPECT_EQ(file.get_u64("test.u64"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(file.get_f64("test.i8"), -100);
  EXPECT_EQ(file.get_f64("test.i16"), -30000);
  EXPECT_EQ(file.get_f64("test.i32"), -2000000000);
  EXPECT_EQ(file.get_f64("test.i64"), -std::pow(2.0, 63));
  EXPECT_EQ(file.get_f64("test.f32"), 0.5);
  EXPECT_EQ(file.get_f64("test.f64"), 1e300);
  EXPECT_TRUE(file.get_bool("test.bool"));
  EXPECT_EQ(file.get_string("test.string"), "grüße");
  EXPECT_EQ(file.get_strings("test.strings"), (std::vector<std::string>{"a", "", "日本"}));
  EXPECT_EQ(file.get_ints("test.ints"), (std::vector<std::int64_t>{-1, 0, 2147483647}));
  EXPECT_EQ(file.get_floats("test.floats"), (std::vector<float>{0.25f, -1e30f}));
  EXPECT_EQ(file.get_ints("test.bools"), (std::vector<std::int64_t>{1, 0}));
}

TEST(Gguf, NamesAKeyThatIsMissingOrOfAnotherKind) {
  const GgufFile file(test::fixture("io/types.gguf"));
  EXPECT_FALSE(file.has("none"));
  const auto message = [&](auto&& action) { return message_of<DataError>(action); };
  EXPECT_TRUE(contains(message([&] { file.get_u64("none"); }), "lacks the metadata key 'none'"));
  EXPECT_TRUE(contains(message([&] { file.get_u64("test.i8"); }),
                       "'test.i8' is i8 -100, expected an integer that is not negative"));
  EXPECT_TRUE(contains(message([&] { file.get_u64("test.f32"); }), "f32 0.5"));
  EXPECT_TRUE(contains(message([&] { file.get_string("test.u8"); }), "u8 200, expected a string"));
  EXPECT_TRUE(contains(message([&] { file.get_strings("test.string"); }), "is a string"));
  EXPECT_TRUE(contains(message([&] { file.get_f64("test.ints"); }), "an array of 3 i32"));
  message([&] { file.get_bool("test.u8"); });
  message([&] { file.get_ints("test.floats"); });
  message([&] { file.get_floats("test.ints"); });
  message([&] { file.get_f64("test.string"); });
}

// Both sides compute in f32, in another order of operations for some types: a few units in the
// last place of a block's largest value.
TEST(Gguf, UnpacksEveryTypeAsThePythonPackageDoes) {
  const GgufFile file(test::fixture("io/types.gguf"));
  const SafetensorsFile expected(test::fixture("io/types.dequantized.safetensors"));
  ASSERT_EQ(file.tensors().size(), 31u);
  for (const GgufTensor& tensor : file.tensors()) {
    const TensorView* reference = expected.find(tensor.name);
    ASSERT_NE(reference, nullptr) << tensor.name;
    EXPECT_EQ(tensor.shape, reference->shape);
    const std::vector<float> values = values_of(tensor);
    ASSERT_EQ(values.size() * sizeof(float), reference->size_bytes);
    std::vector<float> wanted(values.size());
    std::memcpy(wanted.data(), reference->data, reference->size_bytes);
    float largest = 0;
    for (const float value : wanted) largest = std::max(largest, std::abs(value));
    ASSERT_GT(largest, 0) << tensor.name;
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], wanted[i], 1e-6f * largest) << tensor.type_name << " " << i;
  }
}

TEST(Gguf, RowRangesGiveThePartsOfTheWhole) {
  const GgufFile file(test::fixture("io/types.gguf"));
  for (const GgufTensor& tensor : file.tensors()) {
    const std::vector<float> whole = values_of(tensor);
    const auto columns = static_cast<std::size_t>(row_size(tensor));
    std::vector<float> part(2 * columns);
    dequantize_rows(tensor, 1, 2, part.data());
    EXPECT_EQ(std::memcmp(part.data(), whole.data() + columns, part.size() * sizeof(float)), 0)
        << tensor.name;
    dequantize_rows(tensor, 3, 0, nullptr);
    EXPECT_THROW(dequantize_rows(tensor, 2, 2, part.data()), InternalError);
  }
}

/// A block type and how far its values may lie from the ones that were packed, as a share of their
/// root mean square: about half the step between representable values, on normal noise.
struct Rounding {
  ggml_type type;
  double relative_rmse;
};

// The types below three bits whose packing takes ggml seconds are left to the fixture above.
class GgufRoundTrip : public testing::TestWithParam<Rounding> {};

TEST_P(GgufRoundTrip, StaysWithinTheTypesPrecision) {
  const auto& [type, relative_rmse] = GetParam();
  constexpr std::int64_t kRows = 8, kColumns = 512;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(kRows * kColumns), importance(kColumns, 1.0f);
  for (float& value : values) value = normal(random);
  std::vector<std::byte> packed(kRows * ggml_row_size(type, kColumns));
  ggml_quantize_chunk(type, values.data(), packed.data(), 0, kRows, kColumns, importance.data());
  const GgufTensor tensor{
      "w",           std::uint32_t(type), ggml_type_name(type), {kRows, kColumns},
      packed.data(), packed.size()};
  const std::vector<float> unpacked = values_of(tensor);
  double error = 0, power = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    error += std::pow(double(unpacked[i]) - values[i], 2);
    power += std::pow(double(values[i]), 2);
  }
  EXPECT_LT(std::sqrt(error / power), relative_rmse) << tensor.type_name;
  EXPECT_GT(std::sqrt(error / power), relative_rmse / 4) << tensor.type_name << ": bound too loose";
}

INSTANTIATE_TEST_SUITE_P(
    Types, GgufRoundTrip,
    testing::Values(Rounding{GGML_TYPE_F16, 4e-4}, Rounding{GGML_TYPE_BF16, 3e-3},
                    Rounding{GGML_TYPE_Q8_0, 0.01}, Rounding{GGML_TYPE_Q6_K, 0.03},
                    Rounding{GGML_TYPE_Q5_0, 0.06}, Rounding{GGML_TYPE_Q5_1, 0.06},
                    Rounding{GGML_TYPE_Q5_K, 0.06}, Rounding{GGML_TYPE_Q4_0, 0.12},
                    Rounding{GGML_TYPE_Q4_1, 0.12}, Rounding{GGML_TYPE_Q4_K, 0.12},
                    Rounding{GGML_TYPE_IQ4_NL, 0.12}, Rounding{GGML_TYPE_IQ4_XS, 0.12},
                    Rounding{GGML_TYPE_MXFP4, 0.2}, Rounding{GGML_TYPE_NVFP4, 0.2},
                    Rounding{GGML_TYPE_Q3_K, 0.25}, Rounding{GGML_TYPE_IQ3_S, 0.25},
                    Rounding{GGML_TYPE_IQ3_XXS, 0.25}, Rounding{GGML_TYPE_Q2_K, 0.4},
                    Rounding{GGML_TYPE_TQ1_0, 0.8}, Rounding{GGML_TYPE_TQ2_0, 0.8},
                    Rounding{GGML_TYPE_Q2_0, 0.8}, Rounding{GGML_TYPE_Q1_0, 0.8}),
    [](const auto& test) { return std::string(ggml_type_name(test.param.type)); });

TEST(Gguf, RefusesTypesThatAreNeverStored) {
  const std::vector<std::byte> packed(ggml_row_size(GGML_TYPE_Q8_K, 256));
  const GgufTensor tensor{"w", GGML_TYPE_Q8_K, "q8_K", {256}, packed.data(), packed.size()};
  EXPECT_TRUE(contains(message_of<DataError>([&] { values_of(tensor); }), "never stores"));
}

TEST(Gguf, ReadsARealModelAsThePythonPackageDoes) {
  const auto path = test::source_folder() / ".deps" / "models" / "smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not there; tools/setup brings it";
  const GgufFile file(path);
  const nlohmann::json record = read_json(test::fixture("io/smollm2.json"));
  std::vector<std::string> keys;
  for (const auto& [key, value] : file.metadata()) keys.push_back(key);
  EXPECT_EQ(keys, record["keys"].get<std::vector<std::string>>());
  for (const auto& [key, value] : record["integers"].items())
    EXPECT_EQ(file.get_u64(key), value.get<std::uint64_t>()) << key;
  EXPECT_EQ(file.get_string("tokenizer.chat_template"), record["chat_template"]);
  const std::vector<std::string> tokens = file.get_strings("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.size(), record["num_tokens"]);
  for (const auto& [index, token] : record["tokens"].items())
    EXPECT_EQ(tokens[std::stoul(index)], token);

  ASSERT_EQ(file.tensors().size(), record["tensors"].size());
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const GgufTensor& tensor = file.tensors()[i];
    const nlohmann::json& wanted = record["tensors"][i];
    EXPECT_EQ(tensor.name, wanted["name"]);
    EXPECT_EQ(tensor.type_name, wanted["type"]);
    EXPECT_EQ(tensor.shape, wanted["shape"].get<std::vector<std::int64_t>>());
    EXPECT_EQ(file.find(tensor.name), &tensor);
    const std::vector<float> values = values_of(tensor);
    double sum = 0, magnitude = 0;
    for (const float value : values) sum += value, magnitude += std::abs(value);
    EXPECT_NEAR(sum, wanted["sum"].get<double>(), 1e-7 * magnitude) << tensor.name;
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_FLOAT_EQ(values[k], wanted["first"][k].get<float>()) << tensor.name;
  }
}

TEST(Gguf, SaysWhatAFileReallyIs) {
  const test::TempFolder folder;
  const auto message = [&](const std::string& content) {
    const auto path = folder.write("x.gguf", content);
    return message_of<DataError>([&] { GgufFile file(path); });
  };
  EXPECT_TRUE(contains(message(""), "0 bytes are too few"));
  EXPECT_TRUE(
      contains(message(std::string(100, 'x')), "not a GGUF file: it begins with the bytes"));
  EXPECT_TRUE(
      contains(message("GGUF" + std::string("\0\0\0\3", 4) + std::string(16, '\0')), "big-endian"));
  EXPECT_TRUE(contains(message("GGUF" + std::string("\1\0\0\0", 4) + std::string(16, '\0')),
                       "GGUF version 1"));
  EXPECT_TRUE(
      contains(message_of<DataError>([] { GgufFile file("/no/such.gguf"); }), "no such file"));
}

}  // namespace
}  // namespace hone::io
