#include "support/text_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "base/file.h"
#include "base/philox.h"
#include "io/safetensors.h"

namespace hone::test {
namespace {

constexpr std::int64_t kHidden = 16, kHeads = 2, kIntermediate = 24;

/// Weights by name, all of them of one stream of random numbers.
struct Weights {
  std::vector<io::TensorView> views;
  std::vector<std::vector<float>> kept;
  std::uint64_t seed;

  void add(const std::string& name, std::vector<std::int64_t> shape, float scale) {
    const auto size =
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies());
    std::vector<float>& values = kept.emplace_back(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] =
          scale == 0 ? 1.0f : scale * (2 * Philox::uniform(Philox(seed)(i, kept.size()).w[0]) - 1);
    io::TensorView view;
    view.name = name;
    view.dtype = io::DType::kF32;
    view.shape = std::move(shape);
    view.data = reinterpret_cast<const std::byte*>(values.data());
    view.size_bytes = values.size() * sizeof(float);
    views.push_back(std::move(view));
  }
};

nlohmann::json config_of(Head head, std::int64_t vocab_size) {
  nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"hidden_size", kHidden},
                           {"intermediate_size", kIntermediate},
                           {"num_hidden_layers", 2},
                           {"num_attention_heads", kHeads},
                           {"num_key_value_heads", kHeads},
                           {"max_position_embeddings", 256},
                           {"rms_norm_eps", 1e-6},
                           {"rope_theta", 10000.0},
                           {"hidden_act", "silu"},
                           {"vocab_size", vocab_size},
                           {"tie_word_embeddings", true}};
  if (head == Head::kReward) {
    config["architectures"] = {"LlamaForSequenceClassification"};
    config["id2label"] = {{"0", "LABEL_0"}};
    config["num_labels"] = 1;
    config["pad_token_id"] = 0;
  }
  return config;
}

constexpr const char* kTemplate =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

}  // namespace

std::string ascii_piece(const std::string& text, std::size_t size) {
  for (std::size_t i = text.size() / 2; i + size <= text.size(); ++i) {
    const std::string piece = text.substr(i, size);
    if (std::ranges::all_of(piece, [](char c) { return c > ' ' && c <= '~'; })) return piece;
  }
  ADD_FAILURE() << "no " << size << " ASCII characters in: " << text;
  return "?";
}

std::filesystem::path write_text_model(const TempFolder& folder, const std::string& name,
                                       std::uint64_t seed, Head head, std::int64_t vocab_size) {
  const std::filesystem::path model = folder / name;
  std::filesystem::create_directory(model);
  Weights weights{.views = {}, .kept = {}, .seed = seed};
  weights.kept.reserve(64);  // views point into it
  weights.add("model.embed_tokens.weight", {vocab_size, kHidden}, 0.5f);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    for (const char* projection : {"q_proj", "k_proj", "v_proj", "o_proj"})
      weights.add(prefix + "self_attn." + projection + ".weight", {kHidden, kHidden}, 0.5f);
    for (const char* projection : {"gate_proj", "up_proj"})
      weights.add(prefix + "mlp." + projection + ".weight", {kIntermediate, kHidden}, 0.5f);
    weights.add(prefix + "mlp.down_proj.weight", {kHidden, kIntermediate}, 0.5f);
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
      weights.add(prefix + norm + ".weight", {kHidden}, 0);
  }
  weights.add("model.norm.weight", {kHidden}, 0);
  if (head == Head::kReward) weights.add("score.weight", {1, kHidden}, 0.5f);
  io::write_safetensors(model / "model.safetensors", weights.views, {});
  write_file_atomically(model / "config.json", config_of(head, vocab_size).dump());
  const std::filesystem::path tokenizer = fixture("tokenizers/gpt2_bytelevel/tokenizer.json");
  write_file_atomically(model / "tokenizer.json", read_file(tokenizer));
  const nlohmann::json tokenizer_config = {{"eos_token", "<|im_end|>"},
                                           {"chat_template", kTemplate}};
  write_file_atomically(model / "tokenizer_config.json", tokenizer_config.dump());
  return model;
}

}  // namespace hone::test
