#include <ggml.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/load.h"
#include "model/weights.h"
#include "support/gguf_writer.h"
#include "support/process.h"
#include "support/support.h"

// Loading takes the model in its target format and at most one tensor more. Measured as the peak of
// a process of its own, over what it has before it opens the model (tests/bench/loading).

namespace hone::model {
namespace {

namespace fs = std::filesystem;

/// Large enough (49 M weights) that what a process allocates anyway does not count.
constexpr const char* kConfig = R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
  "vocab_size": 16000, "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 6,
  "num_attention_heads": 12, "num_key_value_heads": 4, "rms_norm_eps": 1e-5,
  "tie_word_embeddings": true, "dtype": "bfloat16"})";

std::size_t elements_of(const WeightSlot& slot) {
  return static_cast<std::size_t>(*io::num_elements(slot.shape));
}

struct Generated {
  test::TempFolder folder;
  Decoder decoder;
  std::vector<WeightSlot> slots;

  Generated() {
    decoder.spec = spec_from_config(folder.write("config.json", kConfig));
    slots = weight_slots(decoder);
  }

  /// Weights in turn, so that each shard is read again and again.
  fs::path write_shards(int count) const {
    const std::string zeros(2 * elements_of(slots.front()), '\0');  // the embedding is the largest
    nlohmann::json map;
    for (int shard = 0; shard < count; ++shard) {
      const std::string name = fmt::format("model-{}.safetensors", shard);
      std::vector<io::TensorView> views;
      for (std::size_t i = static_cast<std::size_t>(shard); i < slots.size();
           i += std::size_t(count)) {
        views.push_back({slots[i].name, io::DType::kBF16, slots[i].shape,
                         reinterpret_cast<const std::byte*>(zeros.data()),
                         2 * elements_of(slots[i])});
        map[slots[i].name] = name;
      }
      io::write_safetensors(folder / name, views, {});
    }
    folder.write("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
    return folder.path();
  }

  fs::path write_gguf(ggml_type type) const {
    test::GgufWriter writer;
    const Spec& spec = decoder.spec;
    const std::pair<const char*, std::int64_t> sizes[] = {
        {"embedding_length", spec.hidden_size},
        {"feed_forward_length", spec.intermediate_size},
        {"block_count", spec.num_hidden_layers},
        {"attention.head_count", spec.num_attention_heads},
        {"attention.head_count_kv", spec.num_key_value_heads},
        {"context_length", spec.max_position_embeddings}};
    writer.add("general.architecture", "llama");
    for (const auto& [key, size] : sizes)
      writer.add("llama." + std::string(key), static_cast<std::uint32_t>(size));
    writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    for (const WeightSlot& slot : slots) {
      const ggml_type stored = slot.shape.size() == 1 ? GGML_TYPE_F32 : type;
      const std::size_t bytes =
          elements_of(slot) / std::size_t(ggml_blck_size(stored)) * ggml_type_size(stored);
      writer.add_tensor(slot.gguf_name, slot.shape, stored, std::string(bytes, '\0'));
    }
    return folder.write("model.gguf", writer.content());
  }
};

void expect_frugal(const fs::path& model, const char* dtype) {
  const test::Finished finished = test::run_program({HONE_LOAD_PEAK, model, dtype});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const nlohmann::json result = nlohmann::json::parse(finished.out);
  const double taken = result["peak_bytes"].get<double>() - result["baseline_bytes"].get<double>();
  const double needed =
      result["model_bytes"].get<double>() + result["largest_tensor_bytes"].get<double>();
  EXPECT_LT(taken, 1.1 * needed) << result;
  EXPECT_GT(taken, result["model_bytes"].get<double>()) << "was it loaded at all? " << result;
}

TEST(LoadMemory, ShardedSafetensorsTakeTheModelAndOneTensor) {
  const Generated generated;
  const fs::path model = generated.write_shards(3);
  expect_frugal(model, "bf16");
  expect_frugal(model, "fp32");
}

TEST(LoadMemory, AQuantisedGgufTakesTheModelAndOneTensor) {
  expect_frugal(Generated().write_gguf(GGML_TYPE_Q4_1), "bf16");
}

}  // namespace
}  // namespace hone::model
