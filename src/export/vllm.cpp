#include "export/peft_folder.h"
#include "export/target.h"

namespace hone::exporting {
namespace {

constexpr std::string_view kHelper = "vllm/lora/peft_helper.py, PEFTHelper.validate_legal";
constexpr std::string_view kNames = "vllm/lora/utils.py, parse_fine_tuned_lora_name";
constexpr std::string_view kMerge = "Merge it: hone export --merge";

/// The largest of MaxLoRARanks.
constexpr std::int64_t kMostRank = 512;

const Rule kRules[] = {
    {[](const Facts& facts) { return facts.peft_type != "LORA"; }, Handling::kSvdOrMerge,
     "adapter.method", "it reads lora_A and lora_B and refuses every other name",
     "Train with adapter.method: lora; or export with --dora svd or --merge", kNames},
    {[](const Facts& facts) { return facts.use_dora; }, Handling::kSvdOrMerge, "adapter.use_dora",
     "it refuses DoRA", "Train without it; or export with --dora svd or --merge", kHelper},
    {[](const Facts& facts) { return !facts.ranks.empty() && facts.ranks.back() > kMostRank; },
     Handling::kSvdOrMerge, "adapter.r", "its max_lora_rank goes up to 512",
     "Train with a rank of at most 512; or export with --dora svd --rank 512, or --merge",
     "vllm/config/lora.py, MaxLoRARanks"},
    {[](const Facts& facts) { return !facts.modules_to_save.empty(); }, Handling::kMerge,
     "adapter.modules_to_save", "it takes no whole modules with an adapter", kMerge, kHelper},
    {[](const Facts& facts) { return facts.trains_biases; }, Handling::kMerge, "adapter.bias",
     "it takes no biases with an adapter", kMerge, kHelper},
    {[](const Facts& facts) { return facts.has_lora_bias; }, Handling::kMerge, "adapter.lora_bias",
     "it takes no biases with an adapter", kMerge, kHelper},
    {[](const Facts& facts) { return facts.trains_tokens; }, Handling::kMerge,
     "adapter.trainable_token_indices", "rows of the embedding have no name that it reads", kMerge,
     kNames},
    {[](const Facts& facts) { return facts.brings_tokens; }, Handling::kMerge, "model.add_tokens",
     "an adapter cannot make the vocabulary longer: lora_extra_vocab_size is gone", kMerge,
     "vllm/config/lora.py, LoRAConfig"},
    {[](const Facts& facts) { return facts.adapts_embedding || facts.adapts_head; },
     Handling::kMerge, "adapter.target_modules",
     "embedding and head are adapted in models only whose class lists embedding_modules", kMerge,
     "vllm/lora/utils.py, get_supported_lora_modules"},
    {[](const Facts& facts) { return facts.trains_experts; }, Handling::kMerge,
     "adapter.target_parameters", "only some releases read a LoRA of stacked experts", kMerge,
     "vllm/lora/utils.py, get_supported_lora_modules"},
    {[](const Facts& facts) { return facts.has_patterns; }, Handling::kFold, "adapter.rank_pattern",
     "releases whose PEFTHelper has no get_rank_and_scaling read one r and one lora_alpha",
     "B was scaled, and padded to one rank", "vllm/lora/peft_helper.py"},
    {[](const Facts& facts) { return facts.use_rslora; }, Handling::kFold, "adapter.use_rslora",
     "only releases whose PEFTHelper knows use_rslora scale by alpha/√r", "B was scaled",
     "vllm/lora/peft_helper.py"},
};

}  // namespace

const Target kVllmTarget = {
    .name = "vllm",
    .help = "a LoRA folder for vLLM (--enable-lora), or with --merge a model",
    .takes_adapter = true,
    .takes_merged = true,
    .has_shards = true,
    .adapter_types = kPeftTypes,
    .merged_types = kHuggingFaceTypes,
    .rules = kRules,
    .write = write_adapter_or_model,
    .read_back = read_adapter_or_model,
    .merged_bytes = hugging_face_bytes,
    .serve_adapter =
        "vllm serve {base} --enable-lora --max-lora-rank {rank} --lora-modules "
        "tuned={folder}{template}",
    .serve_model = "vllm serve {folder}",
};

}  // namespace hone::exporting
