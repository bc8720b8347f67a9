#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/load.h"
#include "model/weights.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

const char* dtype_name(torch::Dtype dtype) {
  if (dtype == torch::kBFloat16) return "bfloat16";
  if (dtype == torch::kFloat16) return "float16";
  return "float32";
}

/// A config.json for a model that came without one, as transformers 4 and 5 both read it.
ordered_json config_of(const Spec& spec) {
  ordered_json config = {{"architectures", {"LlamaForCausalLM"}},
                         {"model_type", spec.model_type},
                         {"vocab_size", spec.vocab_size},
                         {"hidden_size", spec.hidden_size},
                         {"intermediate_size", spec.intermediate_size},
                         {"num_hidden_layers", spec.num_hidden_layers},
                         {"num_attention_heads", spec.num_attention_heads},
                         {"num_key_value_heads", spec.num_key_value_heads},
                         {"head_dim", spec.head_dim},
                         {"hidden_act", "silu"},
                         {"max_position_embeddings", spec.max_position_embeddings},
                         {"rms_norm_eps", spec.rms_norm_eps},
                         {"rope_theta", spec.rope_theta},
                         {"tie_word_embeddings", spec.tie_word_embeddings},
                         {"attention_bias", spec.attention_bias},
                         {"mlp_bias", spec.mlp_bias}};
  HONE_ASSERT(spec.rope_scaling.type == "default");  // GGUF files with another are refused
  return config;
}

/// Everything beside the weights that a Hugging Face folder is loaded with.
constexpr const char* kCompanions[] = {"generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "added_tokens.json",
                                       "tokenizer.model",
                                       "chat_template.jinja",
                                       "chat_template.json",
                                       "vocab.json",
                                       "merges.txt"};

}  // namespace

void save_decoder(Decoder& decoder, const fs::path& folder, const fs::path& base,
                  torch::Dtype dtype) {
  make_folder(folder);
  HostTensors tensors;
  for (const WeightSlot& slot : weight_slots(decoder))
    tensors.add(slot.name, slot.tensor->to(dtype));
  io::write_safetensors(folder / "model.safetensors", tensors.views(), {{"format", "pt"}});

  const bool from_folder = fs::is_directory(base);
  if (from_folder)
    for (const char* name : kCompanions)
      if (fs::exists(base / name)) write_file_atomically(folder / name, read_file(base / name));
  ordered_json config =
      from_folder ? io::read_ordered_json(base / "config.json") : config_of(decoder.spec);
  config.erase("torch_dtype");
  config["dtype"] = dtype_name(dtype);
  // The config comes last: a folder that has it is whole.
  write_file_atomically(folder / "config.json", config.dump(2) + "\n");
}

}  // namespace hone::model
