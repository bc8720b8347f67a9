#include "export/gguf_adapter.h"

#include "adapters/merge.h"
#include "base/error.h"
#include "config/load.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"
#include "support/tiny_gguf.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using adapters::Adapter;
using adapters::AdapterOptions;
using model::Decoder;
using test::contains;
using test::message_of;
using torch::Tensor;

AdapterOptions options_of(std::vector<std::string> targets) {
  auto options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = 4;
  options.lora_alpha = 6;
  options.target_modules = std::move(targets);
  return options;
}

/// A fresh adapter whose B is noise, so that it does something.
Adapter adapter_of(Decoder& decoder, const AdapterOptions& options) {
  Adapter adapter = adapters::make_adapter(decoder, options, 5);
  torch::manual_seed(6);
  for (adapters::AdaptedModule& module : adapter.modules)
    for (auto& [name, tensor] : module.tensors) tensor = torch::randn(tensor.sizes()) * 0.1;
  return adapter;
}

class GgufAdapter : public testing::Test {
 protected:
  Decoder base(const std::string& name) {
    const fs::path folder = folder_ / ("hf_" + name);
    if (!fs::exists(folder)) test::copy_for_gguf(test::fixture("models/" + name), folder);
    return model::load_decoder(folder, {});
  }
  Tensor logits(const Decoder& decoder, const std::string& name) {
    const auto tokens =
        test::flatten(io::SafetensorsFile(test::fixture("models/" + name) / "io.safetensors"))
            .tokens;
    return model::logits(decoder, model::hidden_states(decoder, tokens));
  }
  fs::path write(const Adapter& adapter, Decoder& decoder, ggml_type type = GGML_TYPE_F32) {
    write_gguf_adapter(adapter, decoder, type, {.name = "a", .base = {}, .base_name = "base"},
                       folder_ / "adapter.gguf");
    return folder_ / "adapter.gguf";
  }
  std::string refusal(const AdapterOptions& options, const std::string& name = "llama") {
    Decoder decoder = base(name);
    const Adapter adapter = adapter_of(decoder, options);
    return message_of<ConfigError>([&] { write(adapter, decoder); });
  }

  /// Logits with the adapter merged, and with its file on the base.
  double difference(const std::string& name, const AdapterOptions& options,
                    ggml_type type = GGML_TYPE_F32) {
    Decoder trained = base(name), served = base(name);
    Adapter adapter = adapter_of(trained, options);
    const fs::path path = write(adapter, trained, type);
    adapters::merge(adapter, trained);
    merge_gguf_adapter(path, served);
    const Tensor expected = logits(trained, name);
    EXPECT_GT(test::relative_error(logits(base(name), name), expected), 1e-2)
        << "the adapter changes nothing";
    return test::relative_error(logits(served, name), expected);
  }

  const torch::NoGradGuard no_grad_;
  test::TempFolder folder_;
};

const std::vector<std::string> kAll = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                       "gate_proj", "up_proj", "down_proj"};

TEST_F(GgufAdapter, GivesTheLogitsOfTheMergedModel) {
  for (const char* name : {"llama", "qwen2", "qwen3", "granite", "smollm3", "gemma2"})
    if (test::has_fixture(std::string("models/") + name)) {
      EXPECT_LT(difference(name, options_of(kAll)), 1e-5) << name;
    }
  if (test::has_fixture("models/phi3")) {
    EXPECT_LT(difference("phi3", options_of({"qkv_proj", "gate_up_proj", "down_proj"})), 1e-5);
  }
}

TEST_F(GgufAdapter, HalvesAreAsNearAsTheirPrecision) {
  EXPECT_LT(difference("llama", options_of(kAll), GGML_TYPE_F16), 2e-3);
}

TEST_F(GgufAdapter, FoldsEveryScalingIntoB) {
  AdapterOptions options = options_of(kAll);
  options.use_rslora = true;
  options.rank_pattern = {{"q_proj", 2}, {"down_proj", 7}};
  options.alpha_pattern = {{"v_proj", 3}, {"down_proj", 20}};
  EXPECT_LT(difference("llama", options), 1e-5);
}

/// A raw tensor of a file, f32.
Tensor raw(const io::GgufFile& file, const std::string& name) {
  const io::GgufTensor* stored = file.find(name);
  HONE_ASSERT(stored != nullptr, "{}", name);
  Tensor tensor = torch::empty(stored->shape);
  io::dequantize(*stored, tensor.mutable_data_ptr<float>());
  return tensor;
}

// llama.cpp adds (alpha / r) B A to its own tensors: those of the two files have to fit as they
// are.
TEST_F(GgufAdapter, FitsTheRowsOfItsBasesFile) {
  Decoder decoder = base("llama");
  Adapter adapter = adapter_of(decoder, options_of(kAll));
  const io::GgufFile file(write(adapter, decoder));
  const auto model_file = [&](const char* name) {
    write_gguf_model(decoder, gguf_mix("f32"), {}, {.source = {}}, folder_ / name);
    return io::GgufFile(folder_ / name);
  };
  const io::GgufFile before = model_file("before.gguf");
  adapters::merge(adapter, decoder);
  const io::GgufFile after = model_file("after.gguf");
  const double alpha = file.get_f64("adapter.lora.alpha");
  EXPECT_EQ(alpha, 6);
  for (const char* module : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_down"}) {
    const std::string name = fmt::format("blk.1.{}.weight", module);
    const Tensor a = raw(file, name + ".lora_a"), b = raw(file, name + ".lora_b");
    const Tensor expected = raw(before, name) + b.mm(a) * (alpha / double(b.size(1)));
    EXPECT_TRUE(torch::allclose(raw(after, name), expected, 1e-5, 1e-6)) << name;
  }
  EXPECT_EQ(file.get_string("general.type"), "adapter");
  EXPECT_EQ(file.get_string("adapter.type"), "lora");
  EXPECT_EQ(file.get_string("general.architecture"), "llama");
}

TEST_F(GgufAdapter, StacksThePairsOfExperts) {
  for (const char* name : {"mixtral", "qwen3_moe"}) {
    if (!test::has_fixture(std::string("models/") + name)) continue;
    const std::string base_name = std::string("models/") + name;
    const AdapterOptions options =
        options_of(name == std::string("mixtral") ? std::vector<std::string>{"q_proj", "w1", "w2"}
                                                  : std::vector<std::string>{"q_proj", "up_proj"});
    EXPECT_LT(difference(name, options), 1e-5) << name;
    const io::GgufFile file(folder_ / "adapter.gguf");
    const io::GgufTensor* up =
        file.find(name == std::string("mixtral") ? "blk.0.ffn_gate_exps.weight.lora_a"
                                                 : "blk.0.ffn_up_exps.weight.lora_a");
    ASSERT_NE(up, nullptr);
    EXPECT_EQ(up->shape.size(), 3u);
  }
}

TEST_F(GgufAdapter, TransposesTheEmbeddingsA) {
  const char* untied = "llama_linear";
  const Decoder decoder = base(untied);
  ASSERT_FALSE(decoder.spec.tie_word_embeddings);
  EXPECT_LT(difference(untied, options_of({"q_proj", "embed_tokens", "lm_head"})), 1e-5);
  const io::GgufFile file(folder_ / "adapter.gguf");
  EXPECT_EQ(file.find("token_embd.weight.lora_a")->shape,
            (std::vector<std::int64_t>{decoder.spec.vocab_size, 4}));
  EXPECT_EQ(file.find("token_embd.weight.lora_b")->shape,
            (std::vector<std::int64_t>{decoder.spec.hidden_size, 4}));
  EXPECT_EQ(file.find("output.weight.lora_a")->shape,
            (std::vector<std::int64_t>{4, decoder.spec.hidden_size}));
}

TEST_F(GgufAdapter, RefusesAnEmbeddingThatIsTheHead) {
  ASSERT_TRUE(base("llama").spec.tie_word_embeddings);
  EXPECT_TRUE(
      contains(refusal(options_of({"q_proj", "embed_tokens"})), "one tensor for llama.cpp"));
}

TEST_F(GgufAdapter, RefusesWhatTheFormatHasNoPlaceFor) {
  AdapterOptions options = options_of({"q_proj"});
  options.use_dora = true;
  EXPECT_TRUE(contains(refusal(options), "no magnitudes"));
  options = options_of({"q_proj"});
  options.lora_bias = true;
  EXPECT_TRUE(contains(refusal(options), "no biases"));
  options = options_of({"q_proj"});
  options.modules_to_save = {"lm_head"};
  EXPECT_TRUE(contains(refusal(options), "hold no whole weights"));
  options = options_of({"q_proj"});
  options.trainable_token_indices = {1, 2};
  EXPECT_TRUE(contains(refusal(options), "no rows of tokens"));
  options = options_of({"q_proj"});
  options.method = "loha";
  EXPECT_TRUE(contains(refusal(options), "are LoRA; this one is LOHA"));
}

TEST_F(GgufAdapter, IsRefusedOnAnotherBase) {
  Decoder decoder = base("llama");
  const fs::path path = write(adapter_of(decoder, options_of({"q_proj"})), decoder);
  if (!test::has_fixture("models/qwen2")) GTEST_SKIP();
  Decoder other = base("qwen2");
  EXPECT_TRUE(contains(message_of<DataError>([&] { merge_gguf_adapter(path, other); }),
                       "is an adapter for `llama`, the model is `qwen2`"));
}

}  // namespace
}  // namespace hone::exporting
