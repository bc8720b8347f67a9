#include "model/families.h"

#include <fmt/ranges.h>

#include <array>
#include <set>
#include <string>

#include "base/error.h"

namespace hone::model {
namespace {

constexpr LayerNames kSandwich = {.attention_pre_norm = "input_layernorm",
                                  .attention_post_norm = "post_attention_layernorm",
                                  .mlp_pre_norm = "pre_feedforward_layernorm",
                                  .mlp_post_norm = "post_feedforward_layernorm"};
constexpr LayerNames kPostOnly = {.attention_pre_norm = "",
                                  .attention_post_norm = "post_attention_layernorm",
                                  .mlp_pre_norm = "",
                                  .mlp_post_norm = "post_feedforward_layernorm"};
constexpr LayerNames kMixtral = {.router = "block_sparse_moe.gate",
                                 .experts = "block_sparse_moe.experts",
                                 .expert_gate = "w1",
                                 .expert_up = "w3",
                                 .expert_down = "w2"};
constexpr LayerNames kQwenMoe = {.router = "mlp.gate", .experts = "mlp.experts"};
constexpr kernels::RmsNormStyle kGemmaNorm = {.weight_offset = 1, .round_first = false};
constexpr kernels::RmsNormStyle kRoundOnce = {.weight_offset = 0, .round_first = false};
constexpr kernels::Activation kGelu = kernels::Activation::kGeluTanh;

constexpr std::array kFamilies = {
    // Llama 2 and 3, SmolLM2, TinyLlama, Yi, DeepSeek's distilled Llamas: arXiv:2307.09288
    Family{.model_type = "llama",
           .architecture = "Llama",
           .gguf = {.architecture = "llama", .interleaves = true}},
    // arXiv:2310.06825. In GGUF files it is a Llama: llama.cpp knows neither its name nor its
    // window.
    Family{.model_type = "mistral",
           .architecture = "Mistral",
           .gguf = {.architecture = "llama", .interleaves = true},
           .windows = Windows::kAll},
    // Qwen 2 and 2.5: arXiv:2407.10671
    Family{.model_type = "qwen2",
           .architecture = "Qwen2",
           .gguf = {.architecture = "qwen2"},
           .qkv_bias = true,
           .windows = Windows::kUpper},
    // arXiv:2505.09388
    Family{.model_type = "qwen3",
           .architecture = "Qwen3",
           .gguf = {.architecture = "qwen3"},
           .qk_norm = QkNorm::kHead,
           .windows = Windows::kUpper},
    // arXiv:2408.00118
    Family{.model_type = "gemma2",
           .architecture = "Gemma2",
           .gguf = {.architecture = "gemma2", .scales_by_hidden_at = 46},
           .names = kSandwich,
           .norms = NormPlacement::kAround,
           .norm_style = kGemmaNorm,
           .activation = kGelu,
           .activation_name = "gelu_pytorch_tanh",
           .scales_embedding = true,
           .tied_by_default = true,
           .windows = Windows::kAllButNth,
           .full_every = 2},
    // The text part of Gemma 3: arXiv:2503.19786
    Family{.model_type = "gemma3_text",
           .architecture = "Gemma3",
           .gguf = {.architecture = "gemma3", .scales_by_hidden_at = 62, .local_theta = 10000},
           .names = kSandwich,
           .norms = NormPlacement::kAround,
           .qk_norm = QkNorm::kHead,
           .norm_style = kGemmaNorm,
           .activation = kGelu,
           .activation_name = "gelu_pytorch_tanh",
           .scales_embedding = true,
           .tied_by_default = true,
           .windows = Windows::kAllButNth,
           .full_every = 6},
    // Phi 3, 3.5 and 4: arXiv:2404.14219
    Family{.model_type = "phi3",
           .architecture = "Phi3",
           .gguf = {.architecture = "phi3"},
           .fuses_projections = true,
           .windows = Windows::kAll},
    // arXiv:2501.00656
    Family{.model_type = "olmo2",
           .architecture = "Olmo2",
           .gguf = {.architecture = "olmo2"},
           .names = kPostOnly,
           .norms = NormPlacement::kAfter,
           .qk_norm = QkNorm::kWhole,
           .norm_style = kRoundOnce},
    // Granite 3: multipliers of embedding, residual, attention and logits
    Family{.model_type = "granite",
           .architecture = "Granite",
           .gguf = {.architecture = "granite", .interleaves = true}},
    // SmolLM 3: every fourth layer does not rotate (arXiv:2501.18795)
    Family{.model_type = "smollm3",
           .architecture = "SmolLM3",
           .gguf = {.architecture = "smollm3", .interleaves = true},
           .tied_by_default = true,
           .skips_rope = true},
    // arXiv:2401.04088
    Family{.model_type = "mixtral",
           .architecture = "Mixtral",
           .gguf = {.architecture = "llama", .interleaves = true},
           .names = kMixtral,
           .windows = Windows::kAll},
    Family{.model_type = "qwen3_moe",
           .architecture = "Qwen3Moe",
           .gguf = {.architecture = "qwen3moe"},
           .names = kQwenMoe,
           .qk_norm = QkNorm::kHead,
           .windows = Windows::kAll},
};

[[noreturn]] void refuse(const char* what, std::string_view found,
                         const std::set<std::string_view>& known, const std::string& where) {
  throw DataError(fmt::format("{}: the {} `{}` is not supported; hone knows {}", where, what, found,
                              fmt::join(known, ", ")));
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& family_of_type(std::string_view model_type, const std::string& where) {
  std::set<std::string_view> known;
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return family;
    known.insert(family.model_type);
  }
  refuse("model_type", model_type, known, where);
}

const Family& family_of_gguf(std::string_view architecture, bool has_experts,
                             const std::string& where) {
  std::set<std::string_view> known;
  for (const Family& family : kFamilies) {
    if (family.gguf.architecture.empty()) continue;
    const bool fits = has_experts == (*family.names.experts != '\0');
    if (family.gguf.architecture == architecture && fits) return family;
    known.insert(family.gguf.architecture);
  }
  refuse(has_experts ? "architecture with experts" : "architecture", architecture, known, where);
}

}  // namespace hone::model
