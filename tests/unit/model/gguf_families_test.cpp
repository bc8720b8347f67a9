#include <ggml.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/gguf_writer.h"
#include "support/support.h"
#include "support/tiny_gguf.h"

// Models from GGUF files, held against the same models from safetensors. The files are written by
// tests/support/tiny_gguf.cpp; llama.cpp reads the same ones in tests/parity/llama_cpp.py.

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using test::relative_error;

Tensor logits_of(const Decoder& decoder, const TokenStream& tokens) {
  return logits(decoder, hidden_states(decoder, tokens));
}

class GgufFamily : public testing::TestWithParam<const char*> {
 protected:
  fs::path fixture() const { return test::fixture(std::string("models/") + GetParam()); }

  void SetUp() override {
    const torch::NoGradGuard no_grad;
    test::copy_for_gguf(fixture(), folder_ / "hf");
    gguf_ = folder_.write("model.gguf", test::gguf_of(folder_ / "hf"));
    tokens_ = test::flatten(io::SafetensorsFile(fixture() / "io.safetensors")).tokens;
    expected_ = logits_of(load_decoder(folder_ / "hf", {}), tokens_);
  }

  test::TempFolder folder_;
  fs::path gguf_;
  TokenStream tokens_;
  Tensor expected_;
};

// The divisors of Llama 3's rope and Gemma's norms have been through another f32 on the way.
TEST_P(GgufFamily, GivesTheLogitsOfTheSafetensors) {
  const torch::NoGradGuard no_grad;
  EXPECT_LT(relative_error(logits_of(load_decoder(gguf_, {}), tokens_), expected_), 1e-5);
}

TEST_P(GgufFamily, ComesBackFromAHuggingFaceFolder) {
  const torch::NoGradGuard no_grad;
  Decoder decoder = load_decoder(gguf_, {});
  save_decoder(decoder, folder_ / "saved", gguf_, torch::kFloat32);
  const Tensor got = logits_of(load_decoder(folder_ / "saved", {}), tokens_);
  EXPECT_LT(relative_error(got, expected_), 1e-5);
}

constexpr const char* kModels[] = {
    "llama",      "llama_rope_llama3", "mistral",       "qwen2",        "qwen3",
    "gemma2",     "gemma3_text",       "phi3",          "mixtral",      "qwen3_moe",
    "olmo2",      "granite",           "smollm3",       "llama_linear", "llama_yarn",
    "qwen3_yarn", "phi3_partial",      "phi3_longrope", "qwen2_window"};

INSTANTIATE_TEST_SUITE_P(Families, GgufFamily, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : kModels)
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& test) { return std::string(test.param); });

/// A Llama whose rows are long enough for blocks of any type, with every matrix in `type`.
struct Quantised {
  test::TempFolder folder;
  Spec spec;
  std::vector<std::vector<float>> unpacked;  ///< by ggml's own to_float, in the order of the slots

  fs::path write(ggml_type type) {
    spec = spec_from_config(folder.write("config.json", R"({"model_type": "llama",
      "vocab_size": 16, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1,
      "num_attention_heads": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": true})"));
    test::GgufWriter writer;
    const std::pair<const char*, std::uint32_t> sizes[] = {{"embedding_length", 256},
                                                           {"feed_forward_length", 256},
                                                           {"block_count", 1},
                                                           {"attention.head_count", 2},
                                                           {"context_length", 128}};
    writer.add("general.architecture", "llama");
    for (const auto& [key, size] : sizes) writer.add("llama." + std::string(key), size);
    writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    Decoder decoder;
    decoder.spec = spec;
    for (const WeightSlot& slot : weight_slots(decoder))
      writer.add_tensor(slot.gguf_name, slot.shape, slot.shape.size() == 1 ? GGML_TYPE_F32 : type,
                        pack(slot, slot.shape.size() == 1 ? GGML_TYPE_F32 : type));
    return folder.write("model.gguf", writer.content());
  }

  /// Some rows of noise again and again: ggml takes seconds to pack many in its smallest types.
  std::string pack(const WeightSlot& slot, ggml_type type) {
    constexpr std::int64_t kDistinct = 5;
    const std::int64_t columns = slot.shape.back(), rows = *io::num_elements(slot.shape) / columns;
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(kDistinct * columns)), all;
    const std::vector<float> importance(static_cast<std::size_t>(columns), 1.0f);
    for (float& value : values) value = normal(random_);
    std::string packed(kDistinct * ggml_row_size(type, columns), '\0'), stacked;
    ggml_quantize_chunk(type, values.data(), packed.data(), 0, kDistinct, columns,
                        importance.data());
    if (type != GGML_TYPE_F32)
      ggml_get_type_traits(type)->to_float(packed.data(), values.data(), kDistinct * columns);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto from = static_cast<std::size_t>(row % kDistinct);
      stacked += packed.substr(from * ggml_row_size(type, columns), ggml_row_size(type, columns));
      const auto begin = values.begin() + std::ptrdiff_t(from) * columns;
      all.insert(all.end(), begin, begin + columns);
    }
    unpacked.push_back(std::move(all));
    return stacked;
  }

 private:
  std::mt19937 random_{7};
};

/// Every type that ggml can pack, but those that it only computes with.
std::vector<ggml_type> packable_types() {
  std::vector<ggml_type> types;
  for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
    const auto type = static_cast<ggml_type>(i);
    const ggml_type_traits* traits = ggml_get_type_traits(type);
    const bool is_packed = traits->is_quantized && traits->to_float != nullptr;
    if (is_packed && type != GGML_TYPE_Q8_1 && type != GGML_TYPE_Q8_K) types.push_back(type);
  }
  types.insert(types.end(), {GGML_TYPE_F16, GGML_TYPE_BF16});
  return types;
}

class QuantisedGguf : public testing::TestWithParam<ggml_type> {};

TEST_P(QuantisedGguf, LoadsWhatGgmlUnpacks) {
  Quantised model;
  Decoder decoder = load_decoder(model.write(GetParam()), {});
  const std::vector<WeightSlot> slots = weight_slots(decoder);
  ASSERT_EQ(slots.size(), model.unpacked.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Tensor expected = torch::tensor(model.unpacked[i]).view(slots[i].shape);
    const std::int64_t heads = slots[i].interleaved_heads;
    if (heads > 0)  // llama.cpp's order of rows, put back
      expected = expected.view({heads, -1, 2, slots[i].shape.back()})
                     .transpose(1, 2)
                     .reshape(slots[i].shape);
    EXPECT_TRUE(slots[i].tensor->equal(expected)) << slots[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, QuantisedGguf, testing::ValuesIn(packable_types()),
                         [](const auto& test) { return std::string(ggml_type_name(test.param)); });

TEST(GgufRope, ReleasedLlama3GetsItsNameBack) {
  const test::TempFolder folder;
  test::copy_for_gguf(test::fixture("models/llama"), folder / "hf");
  nlohmann::json config = io::read_json(folder / "hf/config.json");
  config["rope_parameters"] = {
      {"rope_type", "llama3"},   {"rope_theta", 500000.0},
      {"factor", 8.0},           {"low_freq_factor", 1.0},
      {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 8192}};
  write_file_atomically(folder / "hf/config.json", config.dump());
  const Spec stored = load_spec(folder / "hf");
  const Spec got = load_spec(folder.write("model.gguf", test::gguf_of(folder / "hf")));
  EXPECT_EQ(got.ropes.front().scaling.type, "llama3");
  EXPECT_EQ(rope_frequencies(got.ropes.front(), 0), rope_frequencies(stored.ropes.front(), 0));
}

}  // namespace
}  // namespace hone::model
