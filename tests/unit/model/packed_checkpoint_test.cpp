#include "model/packed_checkpoint.h"

#include <cmath>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "model/load.h"
#include "quant/quantize.h"
#include "support/support.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using kernels::PackedMatrix;
using quant::Format;
using quant::Recipe;

std::vector<Recipe> recipes() {
  return {{.format = Format::kNf4},
          {.format = Format::kNf4, .blocksize = 128, .double_quantization = false},
          {.format = Format::kFp4},
          {.format = Format::kInt8},
          {.format = Format::kInt4, .blocksize = 32},
          {.format = Format::kInt4, .blocksize = 32, .symmetric = false},
          {.format = Format::kInt8Group, .blocksize = 32},
          {.format = Format::kInt8Group, .blocksize = 32, .symmetric = false}};
}

Decoder packed_decoder(const Recipe& recipe, const std::vector<std::string>& skip = {}) {
  return load_decoder(test::fixture("models/llama"),
                      {.quantization = recipe, .quantization_skip = skip});
}

void expect_same(const PackedMatrix& a, const PackedMatrix& b, const std::string& what) {
  EXPECT_EQ(a.blocksize, b.blocksize) << what;
  EXPECT_TRUE(at::equal(a.codes, b.codes)) << what;
  EXPECT_TRUE(at::equal(a.absmax, b.absmax)) << what;
  EXPECT_EQ(a.zeros.defined(), b.zeros.defined()) << what;
  EXPECT_TRUE(
      at::equal(kernels::dequantize(a, torch::kFloat32), kernels::dequantize(b, torch::kFloat32)))
      << what;
}

TEST(PackedCheckpoint, IsLoadedToTheBitAsItWasWritten) {
  for (const Recipe& recipe : recipes()) {
    const test::TempFolder folder;
    Decoder decoder = packed_decoder(recipe, {"o_proj"});
    save_packed_decoder(decoder, folder / "packed", test::fixture("models/llama"), torch::kFloat32);
    Decoder loaded = load_decoder(folder / "packed", {});
    const std::vector<WeightSlot> before = weight_slots(decoder), after = weight_slots(loaded);
    int packed = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const bool is_packed = before[i].linear && before[i].linear->packed;
      ASSERT_EQ(is_packed, after[i].linear && after[i].linear->packed) << before[i].name;
      if (is_packed)
        expect_same(*before[i].linear->packed, *after[i].linear->packed, before[i].name);
      else
        EXPECT_TRUE(at::equal(*before[i].tensor, *after[i].tensor)) << before[i].name;
      packed += is_packed;
    }
    EXPECT_EQ(packed, 12) << quant::describe(recipe);
  }
}

TEST(PackedCheckpoint, SaysWhatIsPackedAndWhatIsNot) {
  const test::TempFolder folder;
  Decoder decoder = packed_decoder({.format = Format::kInt4, .blocksize = 32}, {"o_proj"});
  save_packed_decoder(decoder, folder / "packed", test::fixture("models/llama"), torch::kBFloat16);
  const nlohmann::json config = io::read_json(folder / "packed" / "config.json");
  const nlohmann::json& said = config["quantization_config"];
  EXPECT_EQ(config["dtype"], "bfloat16");
  EXPECT_EQ(said["quant_method"], "compressed-tensors");
  EXPECT_EQ(said["config_groups"]["group_0"]["targets"], nlohmann::json::array({"Linear"}));
  EXPECT_EQ(said["config_groups"]["group_0"]["weights"]["group_size"], 32);
  EXPECT_EQ(said["ignore"], nlohmann::json::array({"model.layers.0.self_attn.o_proj",
                                                   "model.layers.1.self_attn.o_proj", "lm_head"}));
}

TEST(PackedCheckpoint, ADenseCopyForgetsThatItWasPacked) {
  const test::TempFolder folder;
  const fs::path base = folder / "packed";
  Decoder decoder = packed_decoder({.format = Format::kNf4});
  save_packed_decoder(decoder, base, test::fixture("models/llama"), torch::kFloat32);
  Decoder loaded = load_decoder(base, {});
  save_decoder(loaded, folder / "dense", base, torch::kFloat32);
  EXPECT_FALSE(io::read_json(folder / "dense" / "config.json").contains("quantization_config"));
  const Decoder dense = load_decoder(folder / "dense", {});
  EXPECT_TRUE(at::equal(dense.layers[0].q_proj.weight,
                        dense_weight(loaded.layers[0].q_proj, torch::kFloat32)));
}

// Element i of a row stands at bits 4i of its words, as value + 8; zero points run down the rows.
TEST(PackedCheckpoint, WordsAreThoseOfCompressedTensors) {
  torch::manual_seed(11);
  const PackedMatrix matrix = quant::quantize(
      torch::randn({10, 64}), {.format = Format::kInt4, .blocksize = 32, .symmetric = false});
  std::map<std::string, Tensor> stored;
  for (const auto& [name, tensor] : packed_tensors(matrix, torch::kFloat32)) stored[name] = tensor;
  const Tensor numbers = kernels::dequantize(matrix, torch::kFloat32);
  ASSERT_EQ(stored["weight_packed"].sizes(), (std::vector<std::int64_t>{10, 8}));
  ASSERT_EQ(stored["weight_zero_point"].sizes(), (std::vector<std::int64_t>{2, 2}));
  const auto bits = [](const Tensor& word, std::int64_t place) {
    return int(std::uint32_t(word.item<int>()) >> (4 * place) & 15u) - 8;
  };
  for (std::int64_t r = 0; r < 10; ++r)
    for (std::int64_t c = 0; c < 64; ++c) {
      const int code = bits(stored["weight_packed"][r][c / 8], c % 8);
      const int zero = bits(stored["weight_zero_point"][r / 8][c / 32], r % 8);
      const float scale = stored["weight_scale"][r][c / 32].item<float>();
      ASSERT_EQ(numbers[r][c].item<float>(), float(code - zero) * scale) << r << ", " << c;
    }
}

// Made by compressed-tensors 0.20.0 (tests/data/quant/compressed_tensors/make.py).
TEST(PackedCheckpoint, ReadsAndWritesCompressedTensorsOwnWords) {
  const fs::path path = test::fixture("quant/compressed_tensors/data.safetensors");
  const io::SafetensorsSet files(path);
  for (const char* name : {"int4", "int4_asymmetric", "int8", "int8_asymmetric"}) {
    const std::string layer = std::string(name) + ".layer";
    const auto stored = [&](const std::string& of) { return to_tensor(*files.find(of)); };
    const PackedMatrix matrix = read_packed(files, layer, 10, 96);
    EXPECT_TRUE(at::equal(kernels::dequantize(matrix, torch::kFloat32),
                          stored(std::string(name) + ".numbers")))
        << name;
    for (const auto& [part, tensor] : packed_tensors(matrix, torch::kFloat32))
      EXPECT_TRUE(at::equal(tensor, stored(layer + "." + part))) << layer << "." << part;
    // Scales, rounded to bf16, and integers are those that hone chooses; zero points were taken
    // before that rounding there, after it here.
    if (const Recipe recipe = quant::recipe_of(matrix); recipe.symmetric)
      expect_same(quant::quantize(stored(std::string(name) + ".weight"), recipe), matrix, name);
  }
}

TEST(PackedCheckpoint, HasNoFormForDynamicBlocks) {
  torch::manual_seed(1);
  const PackedMatrix matrix =
      quant::quantize(torch::randn({4, 64}), {.format = Format::kInt8Blockwise});
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { packed_tensors(matrix, torch::kFloat32); }),
      "no checkpoint format holds it"));
}

/// A packed model on the disk, with one tensor replaced, or left out where that is undefined.
fs::path spoiled(const test::TempFolder& folder, const Recipe& recipe, const std::string& name,
                 const Tensor& instead) {
  const fs::path path = folder / "spoiled";
  Decoder decoder = packed_decoder(recipe);
  save_packed_decoder(decoder, path, test::fixture("models/llama"), torch::kFloat32);
  HostTensors tensors;
  {
    const io::SafetensorsFile file(path / "model.safetensors");
    for (const io::TensorView& view : file.tensors()) {
      if (view.name != name)
        tensors.add(std::string(view.name), to_tensor(view));
      else if (instead.defined())
        tensors.add(name, instead);
    }
  }
  io::write_safetensors(path / "model.safetensors", tensors.views(), {{"format", "pt"}});
  return path;
}

TEST(PackedCheckpoint, RefusesWhatDoesNotFitTogether) {
  const std::string q = "model.layers.0.self_attn.q_proj.";
  const Recipe nf4{.format = Format::kNf4}, int4{.format = Format::kInt4, .blocksize = 32},
      int8{.format = Format::kInt8};
  const Tensor none, floats = torch::ones({3}), bytes = torch::zeros({3, 1}, torch::kUInt8);
  const Tensor nan = torch::full({64}, std::nan(""));
  for (const auto& [recipe, name, instead, expected] :
       {std::tuple{nf4, q + "weight.absmax", none, "is missing beside the packed weight"},
        std::tuple{nf4, q + "weight.quant_map", floats, "expected numbers of [16]"},
        std::tuple{nf4, q + "weight.quant_map", torch::zeros({16}), "not the format's own map"},
        std::tuple{nf4, q + "weight", bytes, "expected Byte of [2048, 1]"},
        std::tuple{nf4, q + "weight.quant_state.bitsandbytes__nf4",
                   torch::full({2}, int('{'), torch::kUInt8), "quant_state.bitsandbytes__nf4"},
        std::tuple{nf4, q + "weight.quant_state.bitsandbytes__nf4",
                   torch::tensor({int('{'), int('}')}, torch::kUInt8), "not what bitsandbytes"},
        std::tuple{int8, q + "SCB", nan, "not finite"},
        std::tuple{int4, q + "weight_scale", torch::ones({64, 3}), "has 3 groups"},
        std::tuple{int4, q + "weight_shape", torch::tensor({64, 63}), "says [64, 63]"},
        std::tuple{int4, q + "weight_packed", torch::zeros({64, 9}, torch::kInt32),
                   "expected Int of [64, 8]"}}) {
    const test::TempFolder folder;
    const fs::path path = spoiled(folder, recipe, name, instead);
    EXPECT_TRUE(
        test::contains(test::message_of<DataError>([&] { load_decoder(path, {}); }), expected))
        << name;
  }
}

TEST(PackedCheckpoint, IsNotPackedTwice) {
  const test::TempFolder folder;
  Decoder decoder = packed_decoder({.format = Format::kNf4});
  save_packed_decoder(decoder, folder / "packed", test::fixture("models/llama"), torch::kFloat32);
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] {
                               load_decoder(folder / "packed",
                                            {.quantization = {.format = Format::kInt8}});
                             }),
                             "is packed already"));
}

}  // namespace
}  // namespace hone::model
