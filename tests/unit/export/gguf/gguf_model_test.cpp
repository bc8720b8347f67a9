#include "export/gguf_model.h"

#include <ATen/ops/randn.h>

#include "base/error.h"
#include "io/gguf.h"
#include "model/families.h"
#include "model/gguf_write.h"
#include "model/head.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/fixture_batch.h"
#include "support/support.h"
#include "support/tiny_gguf.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using model::Decoder;
using model::WeightSlot;
using test::contains;
using test::message_of;
using torch::Tensor;

Tensor logits_of(const Decoder& decoder, const model::TokenStream& tokens) {
  return model::logits(decoder, model::hidden_states(decoder, tokens));
}

fs::path write(Decoder& decoder, const char* type, const test::TempFolder& folder) {
  const fs::path path = folder / (std::string(type) + ".gguf");
  write_gguf_model(decoder, gguf_mix(type), {.name = "tiny", .base = {}, .base_name = "base"},
                   {.source = {}}, path);
  return path;
}

/// What a file that rounds its matrices to `dtype` holds.
void round_matrices(Decoder& decoder, torch::Dtype dtype) {
  for (const WeightSlot& slot : model::weight_slots(decoder)) {
    const bool is_router = slot.gguf_name.find("ffn_gate_inp") != std::string::npos;
    if (slot.shape.size() == 2 && !is_router)
      *slot.tensor = slot.tensor->to(dtype).to(torch::kFloat32);
  }
  model::tie_head(decoder);
}

class GgufModel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const fs::path fixture = test::fixture(std::string("models/") + GetParam());
    test::copy_for_gguf(fixture, folder_ / "hf");
    tokens_ = test::flatten(io::SafetensorsFile(fixture / "io.safetensors")).tokens;
    decoder_ = model::load_decoder(folder_ / "hf", {});
  }

  const torch::NoGradGuard no_grad_;
  test::TempFolder folder_;
  model::TokenStream tokens_;
  Decoder decoder_;
};

bool has_the_ropes_of(const Decoder& a, const Decoder& b) {
  return std::ranges::equal(
      a.spec.ropes, b.spec.ropes, {},
      [](const model::Rope& rope) { return rope.scaling.attention_factor; },
      [](const model::Rope& rope) { return rope.scaling.attention_factor; });
}

// Gemma's norms, the divisors of Llama 3's rope and a factor of YaRN's that is none of f32's are
// stored as other f32 numbers than those that they come from; all else is the same to the bit.
TEST_P(GgufModel, GivesTheSameLogitsInF32) {
  const Decoder written = model::load_decoder(write(decoder_, "f32", folder_), {});
  const Tensor got = logits_of(written, tokens_);
  EXPECT_LT(test::relative_error(got, logits_of(decoder_, tokens_)), 1e-5);
  const bool is_exact = decoder_.spec.family->norm_style.weight_offset == 0 &&
                        model::rope_divisors_for_gguf(decoder_.spec).empty() &&
                        has_the_ropes_of(written, decoder_);
  if (is_exact) {
    EXPECT_TRUE(got.equal(logits_of(decoder_, tokens_)));
  }
}

TEST_P(GgufModel, RoundsMatricesAloneInHalfPrecision) {
  for (const auto& [type, dtype] :
       {std::pair{"f16", torch::kFloat16}, {"bf16", torch::kBFloat16}}) {
    Decoder rounded = model::load_decoder(folder_ / "hf", {});
    round_matrices(rounded, dtype);
    const Tensor got = logits_of(model::load_decoder(write(decoder_, type, folder_), {}), tokens_);
    EXPECT_LT(test::relative_error(got, logits_of(rounded, tokens_)), 1e-5) << type;
  }
}

// The test's own converter, which knows nothing of src/model, names and places the same numbers.
TEST_P(GgufModel, HoldsTheTensorsOfAnIndependentConverter) {
  const io::GgufFile ours(write(decoder_, "f32", folder_));
  const io::GgufFile theirs(folder_.write("other.gguf", test::gguf_of(folder_ / "hf")));
  ASSERT_EQ(ours.tensors().size(), theirs.tensors().size());
  for (const io::GgufTensor& expected : theirs.tensors()) {
    const io::GgufTensor* got = ours.find(expected.name);
    ASSERT_NE(got, nullptr) << expected.name;
    EXPECT_EQ(got->shape, expected.shape) << expected.name;
    std::vector<float> a(static_cast<std::size_t>(*io::num_elements(got->shape))), b = a;
    io::dequantize(*got, a.data());
    io::dequantize(expected, b.data());
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-6 * std::abs(b[i])) << expected.name << " " << i;
  }
  EXPECT_EQ(ours.get_string("general.architecture"), theirs.get_string("general.architecture"));
}

constexpr const char* kModels[] = {
    "llama",      "llama_rope_llama3", "mistral",       "qwen2",        "qwen3",
    "gemma2",     "gemma3_text",       "phi3",          "mixtral",      "qwen3_moe",
    "olmo2",      "granite",           "smollm3",       "llama_linear", "llama_yarn",
    "qwen3_yarn", "phi3_partial",      "phi3_longrope", "qwen2_window"};

INSTANTIATE_TEST_SUITE_P(Families, GgufModel, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const char* name : kModels)
                             if (test::has_fixture(std::string("models/") + name))
                               names.push_back(name);
                           return names;
                         }()),
                         [](const auto& test) { return std::string(test.param); });

/// A Llama of 16 layers with noise for weights, whose rows fit blocks of every type.
class GgufOfLlama : public testing::Test {
 protected:
  static constexpr std::int64_t kHidden = 256;

  Decoder make(std::int64_t hidden = kHidden, bool tied = true) {
    Decoder decoder;
    decoder.spec = model::spec_from_config(folder_.write(
        "config.json", fmt::format(R"({{"model_type": "llama", "vocab_size": 32, "hidden_size": {0},
          "intermediate_size": {0}, "num_hidden_layers": 16, "num_attention_heads": 4,
          "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
          "tie_word_embeddings": {1}}})",
                                   hidden, tied)));
    torch::manual_seed(3);
    for (const WeightSlot& slot : model::weight_slots(decoder))
      *slot.tensor = torch::randn(slot.shape);
    model::tie_head(decoder);
    return decoder;
  }

  /// ‖W' − W‖ / ‖W‖ of a matrix.
  static double error_of(const Tensor& got, const Tensor& expected) {
    return ((got - expected).norm() / expected.norm()).item<double>();
  }

  test::TempFolder folder_;
};

class GgufTypes : public GgufOfLlama, public testing::WithParamInterface<GgufMix> {};

/// What is lost of normally distributed weights in blocks of so many bits: measured on them, half
/// as much again. Each bit halves it.
double tolerated_error(const std::string& type) {
  static const std::map<std::string, double> table = {
      {"f32", 0},      {"f16", 4e-4},   {"bf16", 3e-3}, {"q8_0", 0.009}, {"q6_K", 0.03},
      {"q5_K", 0.055}, {"q5_1", 0.055}, {"q5_0", 0.07}, {"q4_K", 0.11},  {"q4_1", 0.11},
      {"q4_0", 0.14},  {"q3_K", 0.23},  {"q2_K", 0.42}};
  return table.at(type);
}

TEST_P(GgufTypes, ComesBackWithinTheErrorOfItsTypes) {
  Decoder decoder = make();
  const fs::path path = write(decoder, std::string(GetParam().name).c_str(), folder_);
  const io::GgufFile file(path);
  Decoder got = model::load_decoder(path, {});
  const std::vector<WeightSlot> before = model::weight_slots(decoder),
                                after = model::weight_slots(got);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string type = file.find(before[i].gguf_name)->type_name;
    EXPECT_LE(error_of(*after[i].tensor, *before[i].tensor), tolerated_error(type))
        << before[i].gguf_name << " " << type;
  }
  EXPECT_EQ(file.get_u64("general.file_type"), GetParam().file_type);
  EXPECT_EQ(file.has("general.quantization_version"), ggml_is_quantized(GetParam().type));
  std::size_t bytes = 0;
  for (const io::GgufTensor& tensor : file.tensors()) bytes += tensor.size_bytes;
  EXPECT_EQ(gguf_model_bytes(decoder, GetParam().name), static_cast<std::int64_t>(bytes));
}

INSTANTIATE_TEST_SUITE_P(Mixes, GgufTypes, testing::ValuesIn(gguf_mixes()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(GgufOfLlama, FallsBackWhereARowIsNoMultipleOf256) {
  Decoder decoder = make(96, false);
  const io::GgufFile file(write(decoder, "q4_k_m", folder_));
  EXPECT_EQ(file.find("blk.8.attn_q.weight")->type_name, "q5_0");
  EXPECT_EQ(file.find("blk.0.attn_v.weight")->type_name, "q8_0");  // would be q6_K
  EXPECT_EQ(file.find("output.weight")->type_name, "q8_0");
  EXPECT_EQ(file.find("token_embd.weight")->type_name, "q5_0");
  EXPECT_EQ(file.find("output_norm.weight")->type_name, "f32");
  Decoder odd = make(72, false);
  const io::GgufFile fallen(write(odd, "q4_k_m", folder_));
  EXPECT_EQ(fallen.find("blk.8.attn_q.weight")->type_name, "f16");
}

// The layers that llama.cpp's use_more_bits names among 16: the first and last two, and each third
// between.
TEST_F(GgufOfLlama, GivesMoreBitsToSomeLayers) {
  Decoder decoder = make();
  const io::GgufFile file(write(decoder, "q4_k_m", folder_));
  std::vector<int> more;
  for (int layer = 0; layer < 16; ++layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    EXPECT_EQ(file.find(prefix + "ffn_down.weight")->type_name,
              file.find(prefix + "attn_v.weight")->type_name);
    EXPECT_EQ(file.find(prefix + "ffn_up.weight")->type_name, "q4_K");
    if (file.find(prefix + "attn_v.weight")->type_name == "q6_K") more.push_back(layer);
  }
  EXPECT_EQ(more, (std::vector<int>{0, 1, 4, 7, 10, 13, 14, 15}));
  EXPECT_EQ(file.find("token_embd.weight")->type_name, "q6_K");  // it is the head as well
}

TEST_F(GgufOfLlama, RefusesValuesThatItsTypeCannotHold) {
  Decoder decoder = make();
  decoder.layers[0].q_proj.weight[0][0] = 1e6;
  EXPECT_TRUE(
      contains(message_of<DataError>([&] { write(decoder, "f16", folder_); }),
               "model.layers.0.self_attn.q_proj.weight: holds a value that is not finite in "
               "the type f16"));
  EXPECT_FALSE(fs::exists(folder_ / "f16.gguf"));
}

TEST_F(GgufOfLlama, HasTheTypesThatAMessageNames) {
  EXPECT_TRUE(contains(message_of<ConfigError>([] { gguf_mix("q4_k_xl"); }), "q4_k_m"));
}

/// What llama.cpp would compute otherwise is refused, by name.
TEST_F(GgufOfLlama, RefusesModelsThatLlamaCppDoesNotServe) {
  const auto refusal = [&](auto change) {
    Decoder decoder = make();
    change(decoder.spec);
    return message_of<ConfigError>([&] { write(decoder, "f32", folder_); });
  };
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) { spec.attention_scale *= 2; }),
                       "attention is scaled by"));
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) { spec.final_logit_softcapping = 30; }),
                       "final_logit_softcapping"));
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) { spec.embedding_multiplier = 12; }),
                       "embedding_scale"));
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) { spec.layers[1].rope = -1; }),
                       "layer 1 does not rotate"));
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) {
                         spec.ropes.front().scaling.type = "dynamic";
                         spec.ropes.front().scaling.factor = 2;
                       }),
                       "dynamic"));
  EXPECT_TRUE(contains(refusal([](model::Spec& spec) { spec.num_labels = 1; }), "scores"));
}

TEST_F(GgufOfLlama, TellsWhatAWindowCosts) {
  Decoder decoder = make();
  EXPECT_EQ(model::window_lost_in_gguf(decoder.spec), 0);
  for (model::LayerKind& layer : decoder.spec.layers) layer.window = 16;
  EXPECT_EQ(model::window_lost_in_gguf(decoder.spec), 16);
  for (model::LayerKind& layer : decoder.spec.layers) layer.window = 64;  // the whole context
  EXPECT_EQ(model::window_lost_in_gguf(decoder.spec), 0);
}

}  // namespace
}  // namespace hone::exporting
