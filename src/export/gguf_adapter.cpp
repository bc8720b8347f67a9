#include "export/gguf_adapter.h"

#include <map>
#include <set>

#include "adapters/methods/keys.h"
#include "base/error.h"
#include "model/families.h"
#include "model/gguf_write.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using adapters::AdaptedModule;
using adapters::Adapter;
using adapters::SiteKind;
using model::WeightSlot;
using torch::Tensor;

constexpr const char* kAlpha = "adapter.lora.alpha";
constexpr const char* kMergeInstead = "Export it merged (--merge).";

/// One pair of the file: one module's, or those of all experts of a layer.
struct Pair {
  Tensor a, b;  ///< [r, in] and [out, r], or [E, r, in] and [E, out, r]
};

/// Refuses what the format has no place for.
void check(const Adapter& adapter, const model::Decoder& decoder) {
  const adapters::Settings& settings = adapter.settings;
  HONE_CHECK(ConfigError, std::string_view(adapter.method->peft_type) == "LORA",
             "llama.cpp's adapters are LoRA; this one is {}. {}", adapter.method->peft_type,
             kMergeInstead);
  HONE_CHECK(ConfigError, !settings.get("use_dora", false),
             "llama.cpp's adapters have no magnitudes, which DoRA trains. {}", kMergeInstead);
  HONE_CHECK(ConfigError, !settings.get("lora_bias", false),
             "llama.cpp's adapters have no biases, which lora_bias trains. {}", kMergeInstead);
  HONE_CHECK(ConfigError, adapter.replaced.empty(),
             "llama.cpp's adapters hold no whole weights, as {} is. {}",
             adapter.replaced.front().weight, kMergeInstead);
  HONE_CHECK(ConfigError, adapter.token_rows.empty(),
             "llama.cpp's adapters hold no rows of tokens, and this one trains {} of {}. {}",
             adapter.token_rows.front().ids.size(), adapter.token_rows.front().module,
             kMergeInstead);
  for (const AdaptedModule& module : adapter.modules) {
    const bool is_end =
        module.site.kind == SiteKind::kEmbedding || module.site.kind == SiteKind::kHead;
    HONE_CHECK(ConfigError, module.site.kind != SiteKind::kExperts,
               "{}: llama.cpp's adapters hold a pair for each expert, and target_parameters trains "
               "one for the stack. {}",
               module.site.name, kMergeInstead);
    HONE_CHECK(ConfigError, !is_end || !decoder.spec.tie_word_embeddings,
               "{}: embedding and head are one tensor for llama.cpp, and an adapter of it would be "
               "taken for both. {}",
               module.site.name, kMergeInstead);
  }
}

/// The one alpha of the file: what the config says, or any number that is not 0, since llama.cpp
/// takes 0 for "do not scale".
double file_alpha(const Adapter& adapter) {
  const double alpha = adapter.settings.get("lora_alpha", 0.0);
  return alpha > 0 ? alpha : 1;
}

/// A module's pair, scaled so that alpha / r gives what was trained.
Pair pair_of(const AdaptedModule& module, const Adapter& adapter) {
  const bool is_embedding = module.site.kind == SiteKind::kEmbedding;
  const auto tensor = [&](const char* linear, const char* embedding) {
    return module.tensors.at(is_embedding ? embedding : linear).detach().to(torch::kFloat32);
  };
  Pair pair{tensor("lora_A.weight", "lora_embedding_A"),
            tensor("lora_B.weight", "lora_embedding_B")};
  const double r = static_cast<double>(pair.a.size(0));
  const double factor =
      adapters::lora_scaling(module.site, adapter.settings) / (file_alpha(adapter) / r);
  if (factor != 1) pair.b = pair.b * factor;
  if (is_embedding) pair.a = pair.a.t();
  return pair;
}

/// The pairs of a layer's experts as one; an expert without a pair gets zeros.
Pair stacked(const std::map<std::int64_t, Pair>& experts, std::int64_t count,
             const std::string& name) {
  const Pair& first = experts.begin()->second;
  std::vector<Tensor> a, b;
  for (std::int64_t expert = 0; expert < count; ++expert) {
    const auto found = experts.find(expert);
    if (found == experts.end()) {
      a.push_back(at::zeros_like(first.a));
      b.push_back(at::zeros_like(first.b));
      continue;
    }
    HONE_CHECK(
        ConfigError, found->second.a.sizes() == first.a.sizes(),
        "{}: expert {} has rank {}, another one {}; llama.cpp's adapters stack experts of one "
        "rank. {}",
        name, expert, found->second.a.size(0), first.a.size(0), kMergeInstead);
    a.push_back(found->second.a);
    b.push_back(found->second.b);
  }
  return {at::stack(a), at::stack(b)};
}

/// The slot of a module's weight.
const WeightSlot& slot_of(const std::vector<WeightSlot>& slots, const std::string& module) {
  for (const WeightSlot& slot : slots)
    if (slot.name == module + ".weight") return slot;
  throw ConfigError(fmt::format("{}: the model has no such weight", module));
}

using Pairs = std::vector<std::pair<std::string, Pair>>;

/// The file's pairs by the names of their weights, in the adapter's order.
Pairs pairs_of(const Adapter& adapter, model::Decoder& decoder) {
  const std::vector<WeightSlot> slots = model::weight_slots(decoder);
  Pairs pairs;
  std::map<std::string, std::map<std::int64_t, Pair>> experts;
  for (const AdaptedModule& module : adapter.modules) {
    const WeightSlot& slot = slot_of(slots, module.site.name);
    Pair pair = pair_of(module, adapter);
    if (slot.interleaved_heads > 0)
      pair.b = model::interleave_heads(pair.b, slot.interleaved_heads);
    if (slot.gguf_expert < 0)
      pairs.emplace_back(slot.gguf_name, std::move(pair));
    else
      experts[slot.gguf_name].emplace(slot.gguf_expert, std::move(pair));
  }
  for (const auto& [name, of_layer] : experts)
    pairs.emplace_back(name, stacked(of_layer, decoder.spec.moe.num_experts, name));
  return pairs;
}

void write_tensor(const Tensor& tensor, ggml_type type, const std::string& name,
                  io::GgufWriter& writer) {
  const std::string packed = pack_rows(tensor.contiguous().view({-1, tensor.size(-1)}), type, name);
  writer.write(packed.data(), packed.size());
}

// ---- reading

/// A tensor as the file has it, f32; undefined where there is none.
Tensor read_tensor(const io::GgufFile& file, const std::string& name) {
  const io::GgufTensor* stored = file.find(name);
  if (stored == nullptr) return {};
  Tensor tensor = torch::empty(stored->shape, torch::kFloat32);
  io::dequantize(*stored, tensor.mutable_data_ptr<float>());
  return tensor;
}

/// What a pair adds to a weight, as Hugging Face lays it out.
Tensor delta_of(const Pair& pair, const WeightSlot& slot, double alpha) {
  const bool is_embedding = slot.gguf_name == "token_embd.weight";
  const Tensor a = slot.gguf_expert < 0 ? pair.a : pair.a[slot.gguf_expert];
  const Tensor b = slot.gguf_expert < 0 ? pair.b : pair.b[slot.gguf_expert];
  const double scaling = alpha == 0 ? 1 : alpha / static_cast<double>(b.size(1));
  const Tensor delta = (is_embedding ? a.mm(b.t()) : b.mm(a)) * scaling;
  return slot.interleaved_heads > 0 ? model::separate_heads(delta, slot.interleaved_heads) : delta;
}

void add_to_weight(const WeightSlot& slot, const Tensor& delta) {
  if (slot.linear == nullptr) {
    *slot.tensor = slot.tensor->to(torch::kFloat32) + delta;
    return;
  }
  slot.linear->weight = model::dense_weight(*slot.linear, torch::kFloat32) + delta;
  slot.linear->packed.reset();
}

}  // namespace

void write_gguf_adapter(const Adapter& adapter, model::Decoder& decoder, ggml_type type,
                        const GgufOrigin& origin, const fs::path& path) {
  const torch::NoGradGuard no_grad;
  check(adapter, decoder);
  HONE_CHECK(ConfigError, !decoder.spec.family->gguf.architecture.empty(),
             "llama.cpp does not know models of the family `{}`", decoder.spec.family->model_type);
  const Pairs pairs = pairs_of(adapter, decoder);
  io::GgufContents contents;
  contents.add("general.architecture", decoder.spec.family->gguf.architecture)
      .add("general.type", "adapter")
      .add("adapter.type", "lora")
      .add(kAlpha, static_cast<float>(file_alpha(adapter)));
  add_origin(origin, contents);
  for (const auto& [name, pair] : pairs)
    contents.add_tensor(name + ".lora_a", pair.a.sizes().vec(), type)
        .add_tensor(name + ".lora_b", pair.b.sizes().vec(), type);
  io::GgufWriter writer(path, contents);
  for (const auto& [name, pair] : pairs) {
    write_tensor(pair.a, type, name + ".lora_a", writer);
    write_tensor(pair.b, type, name + ".lora_b", writer);
  }
  writer.commit();
}

void merge_gguf_adapter(const fs::path& path, model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  const io::GgufFile file(path);
  HONE_CHECK(DataError, file.get_string("general.type") == "adapter",
             "{}: is no adapter: general.type is `{}`", path.string(),
             file.get_string("general.type"));
  HONE_CHECK(DataError,
             file.get_string("general.architecture") == decoder.spec.family->gguf.architecture,
             "{}: is an adapter for `{}`, the model is `{}`", path.string(),
             file.get_string("general.architecture"), decoder.spec.family->gguf.architecture);
  const double alpha = file.get_f64(kAlpha);
  std::set<std::string> merged;
  for (const WeightSlot& slot : model::weight_slots(decoder)) {
    const Pair pair{read_tensor(file, slot.gguf_name + ".lora_a"),
                    read_tensor(file, slot.gguf_name + ".lora_b")};
    if (!pair.a.defined() || !pair.b.defined()) continue;
    add_to_weight(slot, delta_of(pair, slot, alpha));
    merged.insert({slot.gguf_name + ".lora_a", slot.gguf_name + ".lora_b"});
  }
  model::tie_head(decoder);
  for (const io::GgufTensor& tensor : file.tensors())
    HONE_CHECK(DataError, merged.count(tensor.name) > 0, "{}: {} is for no weight of the model",
               path.string(), tensor.name);
}

}  // namespace hone::exporting
