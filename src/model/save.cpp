#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/config_keys.h"
#include "model/load.h"
#include "model/rope_config.h"
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
    tensors.add(slot.name,
                slot.linear ? dense_weight(*slot.linear, dtype) : slot.tensor->to(dtype));
  io::write_safetensors(folder / "model.safetensors", tensors.views(), {{"format", "pt"}});

  const bool from_folder = fs::is_directory(base);
  if (from_folder)
    for (const char* name : kCompanions)
      if (fs::exists(base / name)) write_file_atomically(folder / name, read_file(base / name));
  ordered_json config =
      from_folder ? io::read_ordered_json(base / "config.json") : config_of(decoder.spec);
  if (decoder.spec.rope_is_overridden) write_rope(decoder.spec, config);
  config.erase("torch_dtype");
  config["dtype"] = dtype_name(dtype);
  config["vocab_size"] = decoder.spec.vocab_size;
  // A merge may have told the head and the embedding apart.
  config["tie_word_embeddings"] = decoder.spec.tie_word_embeddings;
  // The config comes last: a folder that has it is whole.
  write_file_atomically(folder / "config.json", config.dump(2) + "\n");
}

}  // namespace hone::model
