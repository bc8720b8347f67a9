#include "model/load.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "support/support.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;

/// A copy of the tiny model's folder that a test may spoil.
struct TinyCopy {
  test::TempFolder folder;
  fs::path path = folder / "model";

  TinyCopy() {
    fs::create_directory(path);
    for (const char* name : {"config.json", "model.safetensors"})
      fs::copy_file(test::fixture("models/llama") / name, path / name);
  }

  void set(const char* key, const nlohmann::json& value) const {
    nlohmann::json config = io::read_json(path / "config.json");
    config[key] = value;
    write_file_atomically(path / "config.json", config.dump());
  }
};

TEST(LoadDecoder, TellsAllWeightsThatDoNotFitTogether) {
  const TinyCopy tiny;
  tiny.set("num_hidden_layers", 3);
  tiny.set("intermediate_size", 100);
  const std::string message = test::message_of<DataError>([&] { load_decoder(tiny.path, {}); });
  EXPECT_TRUE(test::contains(message, "missing (9)"));
  EXPECT_TRUE(test::contains(message, "model.layers.2.self_attn.q_proj.weight"));
  EXPECT_TRUE(test::contains(
      message, "model.layers.0.mlp.gate_proj.weight is [96, 64], expected [100, 64]"));
}

TEST(LoadDecoder, NamesWeightsItDoesNotExpect) {
  const TinyCopy tiny;
  tiny.set("num_hidden_layers", 1);
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { load_decoder(tiny.path, {}); }),
                             "not expected (9): model.layers.1."));
}

TEST(LoadDecoder, RefusesAFamilyItDoesNotKnowAndPickle) {
  const TinyCopy tiny;
  tiny.set("model_type", "mamba");
  EXPECT_TRUE(
      test::contains(test::message_of<DataError>([&] { load_decoder(tiny.path, {}); }), "mamba"));
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] {
                               load_decoder(tiny.folder.write("pytorch_model.bin", "x"), {});
                             }),
                             "safetensors"));
}

TEST(LoadDecoder, RefusesValuesThatAreNotFinite) {
  const TinyCopy tiny;
  Decoder decoder = load_decoder(tiny.path, {});
  decoder.layers[1].v_proj.weight[0][0] = std::numeric_limits<float>::infinity();
  save_decoder(decoder, tiny.folder / "out", tiny.path, torch::kFloat32);
  EXPECT_TRUE(
      test::contains(test::message_of<DataError>([&] { load_decoder(tiny.folder / "out", {}); }),
                     "layers.1.self_attn.v_proj.weight holds a value that is not finite"));
}

TEST(LoadDecoder, SaysAloudWhatAnotherDtypeLoses) {
  const TinyCopy tiny;
  Decoder decoder = load_decoder(tiny.path, {});
  save_decoder(decoder, tiny.folder / "bf16", tiny.path, torch::kBFloat16);
  const auto said = [&](torch::Dtype dtype) {
    testing::internal::CaptureStderr();
    load_decoder(tiny.folder / "bf16", {.weight_dtype = dtype});
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said(torch::kBFloat16), "");
  EXPECT_TRUE(test::contains(said(torch::kFloat32), "stored as bf16, kept as fp32"));
  EXPECT_TRUE(test::contains(said(torch::kFloat16), "warning: "));
}

TEST(SaveDecoder, LoadsBackBitForBit) {
  const TinyCopy tiny;
  Decoder decoder = load_decoder(tiny.path, {});
  save_decoder(decoder, tiny.folder / "out", tiny.path, torch::kFloat32);
  Decoder again = load_decoder(tiny.folder / "out", {});
  const auto before = weight_slots(decoder), after = weight_slots(again);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_TRUE(before[i].tensor->equal(*after[i].tensor)) << before[i].name;
}

TEST(SpecFromConfig, NamesTheKeyThatIsMissingOrOfAnotherType) {
  const TinyCopy tiny;
  tiny.set("hidden_size", "64");
  EXPECT_TRUE(test::contains(test::message_of<DataError>([&] { load_spec(tiny.path); }),
                             "`hidden_size` is \"64\""));
  tiny.set("hidden_size", 64);
  tiny.set("num_key_value_heads", 3);
  EXPECT_TRUE(
      test::contains(test::message_of<DataError>([&] { load_spec(tiny.path); }), "not a multiple"));
}

TEST(ParameterCount, CountsWhatIsThere) {
  Decoder decoder = load_decoder(test::fixture("models/llama"), {});
  std::int64_t count = 0;
  for (const WeightSlot& slot : weight_slots(decoder)) count += slot.tensor->numel();
  EXPECT_EQ(parameter_count(decoder.spec), count);
  EXPECT_EQ(count, 94528);  // as transformers counted (info.json)
}

TEST(LoadPacked, LeavesWhatItIsToldTo) {
  LoadOptions options;
  options.quantization.format = quant::Format::kInt8;
  options.quantization_skip = {"down_proj", "model\\.layers\\.0\\..*"};
  Decoder decoder = load_decoder(test::fixture("models/llama"), options);
  for_each_linear(decoder, [](Linear& linear) {
    const bool skipped =
        linear.name.ends_with("down_proj") || linear.name.starts_with("model.layers.0.");
    EXPECT_EQ(linear.packed == nullptr, skipped) << linear.name;
    EXPECT_EQ(linear.weight.defined(), skipped) << linear.name;
  });
  EXPECT_TRUE(decoder.embed_tokens.defined() && decoder.lm_head.defined());
}

TEST(LoadPacked, APatternThatMeansNoLayerIsRefused) {
  const auto message = [](const std::string& pattern) {
    LoadOptions options;
    options.quantization.format = quant::Format::kNf4;
    options.quantization_skip = {pattern};
    return test::message_of<ConfigError>(
        [&] { load_decoder(test::fixture("models/llama"), options); });
  };
  EXPECT_TRUE(test::contains(message("query"), "`query` matches no layer"));
  EXPECT_TRUE(test::contains(message("query"), "q_proj"));
  EXPECT_TRUE(test::contains(message("[q_proj"), "no regular expression"));
}

TEST(LoadPacked, SavesItsNumbers) {
  LoadOptions options;
  options.quantization.format = quant::Format::kNf4;
  Decoder decoder = load_decoder(test::fixture("models/llama"), options);
  const test::TempFolder folder;
  save_decoder(decoder, folder / "out", test::fixture("models/llama"), torch::kFloat32);
  const Decoder again = load_decoder(folder / "out", {});
  EXPECT_TRUE(
      again.layers[1].v_proj.weight.equal(dense_weight(decoder.layers[1].v_proj, torch::kFloat32)));
}

}  // namespace
}  // namespace hone::model
