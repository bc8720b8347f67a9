#include <array>

#include "base/error.h"
#include "base/file.h"
#include "export/gguf_adapter.h"
#include "export/gguf_model.h"
#include "export/modelfile.h"
#include "export/target.h"
#include "model/load.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kAdapterTypes = {"f32", "f16"};
constexpr std::array<std::string_view, 17> kModelTypes = {
    "f16",    "bf16",   "f32",  "q8_0", "q6_k",   "q5_k_m", "q5_k_s", "q5_1", "q5_0",
    "q4_k_m", "q4_k_s", "q4_1", "q4_0", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k"};

constexpr std::string_view kLoader = "llama.cpp, src/llama-adapter.cpp";
constexpr std::string_view kScale = "llama.cpp, src/llama-adapter.h, get_scale";
constexpr std::string_view kMerge = "Merge it: hone export --merge";

const Rule kRules[] = {
    {[](const Facts& facts) { return facts.peft_type != "LORA"; }, Handling::kSvdOrMerge,
     "adapter.method", "its adapters are pairs lora_a and lora_b and nothing else",
     "Train with adapter.method: lora; or export with --dora svd or --merge", kLoader},
    {[](const Facts& facts) { return facts.use_dora; }, Handling::kSvdOrMerge, "adapter.use_dora",
     "its adapters have no magnitudes", "Train without it; or export with --dora svd or --merge",
     kLoader},
    {[](const Facts& facts) { return !facts.modules_to_save.empty(); }, Handling::kMerge,
     "adapter.modules_to_save", "its adapters hold no whole modules", kMerge, kLoader},
    {[](const Facts& facts) { return facts.trains_biases; }, Handling::kMerge, "adapter.bias",
     "its adapters hold no biases", kMerge, kLoader},
    {[](const Facts& facts) { return facts.has_lora_bias; }, Handling::kMerge, "adapter.lora_bias",
     "its adapters hold no biases", kMerge, kLoader},
    {[](const Facts& facts) { return facts.trains_tokens; }, Handling::kMerge,
     "adapter.trainable_token_indices", "its adapters hold no rows of the embedding", kMerge,
     kLoader},
    {[](const Facts& facts) { return facts.brings_tokens; }, Handling::kMerge, "model.add_tokens",
     "an adapter cannot make the vocabulary longer", kMerge, kLoader},
    {[](const Facts& facts) { return facts.trains_experts; }, Handling::kMerge,
     "adapter.target_parameters", "it has a pair for each expert, not one for their stack", kMerge,
     "llama.cpp, src/llama-graph.cpp, build_lora_mm_id"},
    {[](const Facts& facts) { return facts.has_patterns; }, Handling::kFold, "adapter.rank_pattern",
     "it reads one alpha for all pairs", "B was scaled", kScale},
    {[](const Facts& facts) { return facts.use_rslora; }, Handling::kFold, "adapter.use_rslora",
     "it scales by alpha/r", "B was scaled", kScale},
};

std::string_view type_of(const Job& job) {
  if (!job.options.type.empty()) return job.options.type;
  return job.adapter != nullptr ? kAdapterTypes.front() : kModelTypes.front();
}

fs::path file_of(const Job& job) {
  return job.folder /
         fmt::format("{}-{}.gguf", job.adapter != nullptr ? "adapter" : "model", type_of(job));
}

void write_gguf(const Job& job) {
  const torch::NoGradGuard no_grad;
  const fs::path name = fs::path(job.base_name).filename();
  const GgufOrigin origin{.name = model::is_gguf(name) ? name.stem() : name,
                          .base = job.base,
                          .base_name = job.base_name};
  if (job.adapter != nullptr) {
    write_gguf_adapter(*job.adapter, job.decoder,
                       type_of(job) == "f16" ? GGML_TYPE_F16 : GGML_TYPE_F32, origin, file_of(job));
    return;
  }
  write_gguf_model(
      job.decoder, gguf_mix(type_of(job)), origin,
      {.source = job.tokenizer, .chat_template = job.chat_template, .stop_texts = job.stop_texts},
      file_of(job));
}

/// The Modelfile stands beside what it names. An adapter's names the base where it is now.
void write_for_ollama(const Job& job) {
  write_gguf(job);
  const bool is_adapter = job.adapter != nullptr;
  const std::string file = "./" + file_of(job).filename().string();
  const Modelfile modelfile{.from = is_adapter ? fs::absolute(job.base).string() : file,
                            .adapter = is_adapter ? file : "",
                            .chat_template = job.chat_template,
                            .stop_texts = job.stop_texts,
                            .context_length = job.decoder.spec.max_position_embeddings,
                            .license = license_of(job.base)};
  write_file_atomically(job.folder / "Modelfile", modelfile_text(modelfile, job.tokenizer));
}

ReadBack read_gguf(const Job& job) {
  const torch::NoGradGuard no_grad;
  const fs::path file = file_of(job);
  if (job.adapter == nullptr)
    return {model::load_decoder(file, {}), job.tokenizer.empty() ? fs::path() : file};
  model::Decoder decoder = job.decoder;
  merge_gguf_adapter(file, decoder);
  return {std::move(decoder), {}};
}

}  // namespace

const Target kLlamaCppTarget = {
    .name = "llama.cpp",
    .help = "a LoRA as GGUF file beside its base, or with --merge a model in any of its types",
    .takes_adapter = true,
    .takes_merged = true,
    .adapter_types = kAdapterTypes,
    .merged_types = kModelTypes,
    .rules = kRules,
    .write = write_gguf,
    .read_back = read_gguf,
    .merged_bytes = gguf_model_bytes,
    .serve_adapter = "llama-server -m BASE.gguf --lora {folder}/adapter-*.gguf",
    .serve_model = "llama-server -m {folder}/model-*.gguf",
};

const Target kOllamaTarget = {
    .name = "ollama",
    .help = "the same with a Modelfile",
    .takes_adapter = true,
    .takes_merged = true,
    .adapter_types = kAdapterTypes,
    .merged_types = kModelTypes,
    .rules = kRules,
    .write = write_for_ollama,
    .read_back = read_gguf,
    .merged_bytes = gguf_model_bytes,
    .serve_adapter = "ollama create tuned -f {folder}/Modelfile",
    .serve_model = "ollama create tuned -f {folder}/Modelfile",
};

}  // namespace hone::exporting
