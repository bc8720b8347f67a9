#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/config_keys.h"
#include "model/load.h"
#include "model/packed_checkpoint.h"
#include "model/rope_config.h"
#include "model/score_head.h"
#include "model/shards.h"
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

/// What the config of a model that is written says beside its base's own.
ordered_json config_for(const Decoder& decoder, const fs::path& base, torch::Dtype dtype) {
  ordered_json config = fs::is_directory(base) ? io::read_ordered_json(base / "config.json")
                                               : config_of(decoder.spec);
  if (decoder.spec.rope_is_overridden) write_rope(decoder.spec, config);
  write_score_head(decoder.spec, config);
  config.erase("torch_dtype");
  config["dtype"] = dtype_name(dtype);
  config["vocab_size"] = decoder.spec.vocab_size;
  // A merge may have told the head and the embedding apart.
  config["tie_word_embeddings"] = decoder.spec.tie_word_embeddings;
  config.erase("quantization_config");
  return config;
}

constexpr std::int64_t kOneFile = std::numeric_limits<std::int64_t>::max();

/// The tensors of each file, in order: the next file begins where one more would be too many bytes.
std::vector<std::vector<io::TensorView>> cut(const std::vector<io::TensorView>& views,
                                             std::int64_t most_bytes) {
  std::vector<std::vector<io::TensorView>> files(1);
  std::int64_t bytes = 0;
  for (const io::TensorView& view : views) {
    const auto size = static_cast<std::int64_t>(view.size_bytes);
    if (!files.back().empty() && size > most_bytes - bytes) {
      files.emplace_back();
      bytes = 0;
    }
    files.back().push_back(view);
    bytes += size;
  }
  return files;
}

void write_weights(const fs::path& folder, const std::vector<io::TensorView>& views,
                   std::int64_t most_bytes) {
  const auto files = cut(views, most_bytes);
  if (files.size() == 1) {
    io::write_safetensors(folder / "model.safetensors", views, {{"format", "pt"}});
    return;
  }
  std::int64_t total = 0;
  ordered_json map = ordered_json::object();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, files.size());
    io::write_safetensors(folder / name, files[i], {{"format", "pt"}});
    for (const io::TensorView& view : files[i]) {
      map[view.name] = name;
      total += static_cast<std::int64_t>(view.size_bytes);
    }
  }
  const ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  write_file_atomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

/// The config comes last: a folder that has it is whole.
void write_folder(const fs::path& folder, const fs::path& base, const HostTensors& tensors,
                  const ordered_json& config, std::int64_t most_bytes) {
  make_folder(folder);
  write_weights(folder, tensors.views(), most_bytes);
  if (fs::is_directory(base))
    for (const char* name : kCompanions)
      if (fs::exists(base / name)) write_file_atomically(folder / name, read_file(base / name));
  write_file_atomically(folder / "config.json", config.dump(2) + "\n");
}

/// The module of a weight: its name without what stands behind the last dot.
std::string module_of(const WeightSlot& slot) { return slot.name.substr(0, slot.name.rfind('.')); }

void write_dense(Decoder& decoder, const fs::path& folder, const fs::path& base, torch::Dtype dtype,
                 std::int64_t most_bytes) {
  HostTensors tensors;
  for (const WeightSlot& slot : weight_slots(decoder))
    tensors.add(slot.name,
                slot.linear ? dense_weight(*slot.linear, dtype) : slot.tensor->to(dtype));
  write_folder(folder, base, tensors, config_for(decoder, base, dtype), most_bytes);
}

void write_packed(Decoder& decoder, const fs::path& folder, const fs::path& base,
                  torch::Dtype dtype, std::int64_t most_bytes) {
  HostTensors tensors;
  std::optional<quant::Recipe> recipe;
  std::vector<std::string> unpacked;
  for (const WeightSlot& slot : weight_slots(decoder)) {
    if (slot.linear != nullptr && slot.linear->packed != nullptr) {
      const quant::Recipe own = quant::recipe_of(*slot.linear->packed);
      HONE_ASSERT(!recipe || quant::describe(*recipe) == quant::describe(own),
                  "{}: packed in another way than the layers before", slot.linear->name);
      recipe = own;
      for (const auto& [name, tensor] : packed_tensors(*slot.linear->packed, dtype))
        tensors.add(slot.linear->name + "." + name, tensor);
      continue;
    }
    tensors.add(slot.name, slot.tensor->to(dtype));
    if (slot.shape.size() == 2 && slot.tensor != &decoder.embed_tokens)
      unpacked.push_back(module_of(slot));
  }
  HONE_CHECK(ConfigError, recipe, "no layer is left to be packed; nothing is written");
  if (decoder.spec.num_labels == 0 && decoder.spec.tie_word_embeddings)
    unpacked.push_back("lm_head");
  ordered_json config = config_for(decoder, base, dtype);
  config["quantization_config"] = packed_config(*recipe, unpacked, dtype);
  write_folder(folder, base, tensors, config, most_bytes);
}

}  // namespace

void save_decoder(Decoder& decoder, const fs::path& folder, const fs::path& base,
                  torch::Dtype dtype) {
  write_dense(decoder, folder, base, dtype, kOneFile);
}

void save_packed_decoder(Decoder& decoder, const fs::path& folder, const fs::path& base,
                         torch::Dtype dtype) {
  write_packed(decoder, folder, base, dtype, kOneFile);
}

void save_sharded(Decoder& decoder, const fs::path& folder, const fs::path& base,
                  torch::Dtype dtype, std::int64_t max_shard_size_bytes) {
  bool is_packed = false;
  for_each_linear(decoder, [&](const Linear& linear) { is_packed |= linear.packed != nullptr; });
  (is_packed ? write_packed : write_dense)(decoder, folder, base, dtype, max_shard_size_bytes);
}

}  // namespace hone::model
