#include "export/peft_folder.h"
#include "export/target.h"

namespace hone::exporting {
namespace {

constexpr std::string_view kLora =
    "text_generation_server/adapters/lora.py, LoraConfig.map_weights_for_model";
constexpr std::string_view kPrepare =
    "text_generation_server/adapters/lora.py, LoraWeights.prepare_weights";
constexpr std::string_view kMerge = "Merge it: hone export --merge";

const Rule kRules[] = {
    {[](const Facts& facts) { return facts.peft_type != "LORA"; }, Handling::kSvdOrMerge,
     "adapter.method", "it reads lora_A and lora_B alone",
     "Train with adapter.method: lora; or export with --dora svd or --merge", kLora},
    {[](const Facts& facts) { return facts.use_dora; }, Handling::kSvdOrMerge, "adapter.use_dora",
     "it passes over DoRA's magnitudes, and so computes something else",
     "Train without it; or export with --dora svd or --merge", kLora},
    {[](const Facts& facts) { return !facts.modules_to_save.empty(); }, Handling::kMerge,
     "adapter.modules_to_save", "it passes over whole modules", kMerge, kLora},
    {[](const Facts& facts) { return facts.trains_biases; }, Handling::kMerge, "adapter.bias",
     "it passes over biases", kMerge, kLora},
    {[](const Facts& facts) { return facts.has_lora_bias; }, Handling::kMerge, "adapter.lora_bias",
     "it passes over biases", kMerge, kLora},
    {[](const Facts& facts) { return facts.trains_tokens || facts.brings_tokens; },
     Handling::kMerge, "model.add_tokens", "it passes over rows of the embedding", kMerge, kLora},
    {[](const Facts& facts) { return facts.adapts_embedding || facts.adapts_head; },
     Handling::kMerge, "adapter.target_modules",
     "it adapts the layers' projections, not embedding and head", kMerge, kLora},
    {[](const Facts& facts) { return facts.trains_experts; }, Handling::kMerge,
     "adapter.target_parameters", "it passes over stacked experts", kMerge, kLora},
    {[](const Facts& facts) { return facts.has_patterns; }, Handling::kFold, "adapter.rank_pattern",
     "it scales every module by one r and one lora_alpha", "B was scaled, and padded to one rank",
     kPrepare},
    {[](const Facts& facts) { return !facts.covers_all_layers; }, Handling::kFold,
     "adapter.layers_to_transform",
     "it passes over a kind of module that not every layer has an adapter for",
     "the other layers were given zeros", kPrepare, /*needs_all_layers=*/true},
};

}  // namespace

const Target kTgiTarget = {
    .name = "tgi",
    .help = "a LoRA folder for Text Generation Inference (LORA_ADAPTERS), or with --merge a model",
    .takes_adapter = true,
    .takes_merged = true,
    .has_shards = true,
    .adapter_types = kPeftTypes,
    .merged_types = kHuggingFaceTypes,
    .rules = kRules,
    .write = write_adapter_or_model,
    .read_back = read_adapter_or_model,
    .merged_bytes = hugging_face_bytes,
    .serve_adapter = "LORA_ADAPTERS=tuned={folder} text-generation-launcher --model-id {base}",
    .serve_model = "text-generation-launcher --model-id {folder}",
};

}  // namespace hone::exporting
