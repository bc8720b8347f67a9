#include "model/rope_gguf.h"

#include <algorithm>
#include <cmath>

#include "model/families.h"

namespace hone::model {
namespace {

constexpr std::int64_t kDefaultNoRopeInterval = 4;  // llama.cpp knows SmolLM 3's own, and no other

/// A tensor of divisors, one for each pair; empty where the file has none.
std::vector<double> divisors_of(const GgufMetadata& metadata, const char* name, const Rope& rope) {
  const io::GgufTensor* tensor = metadata.file().find(name);
  if (tensor == nullptr) return {};
  HONE_CHECK(DataError, tensor->shape == std::vector<std::int64_t>{rope.rotary_dim / 2},
             "{}: {} should hold {} divisors", metadata.where(), name, rope.rotary_dim / 2);
  std::vector<float> stored(static_cast<std::size_t>(rope.rotary_dim / 2));
  io::dequantize(*tensor, stored.data());
  HONE_CHECK(DataError, std::all_of(stored.begin(), stored.end(), [](float x) { return x > 0; }),
             "{}: {} holds a divisor that is not positive", metadata.where(), name);
  return {stored.begin(), stored.end()};
}

/// Whether a rope turns as one without scaling does whose frequencies are divided so.
bool turns_as(const Rope& rope, const std::vector<double>& divisors) {
  Rope plain = rope;
  plain.scaling = {};
  const std::vector<double> frequencies = rope_frequencies(plain, 0);
  const std::vector<double> scaled = rope_frequencies(rope, 0);
  for (std::size_t i = 0; i < divisors.size(); ++i)
    if (std::abs(frequencies[i] / divisors[i] / scaled[i] - 1) > 1e-5) return false;
  return true;
}

/// llama.cpp stores what Llama 3's scaling comes to. Where that is what the released models have,
/// it gets its name back; else the divisors are kept as they are.
void use_divisors(const std::vector<double>& divisors, const Spec& spec, Rope& rope) {
  RopeScaling& scaling = rope.scaling;
  scaling.type = "llama3";
  scaling.factor = *std::max_element(divisors.begin(), divisors.end());
  scaling.original_max_position_embeddings = 8192;
  if (turns_as(rope, divisors)) return;
  scaling = {};
  scaling.type = "longrope";
  // Of no effect, since both lists are the same.
  scaling.original_max_position_embeddings = static_cast<double>(spec.max_position_embeddings);
  scaling.short_factor = scaling.long_factor = divisors;
}

void read_longrope(const GgufMetadata& metadata, const Spec& spec, Rope& rope) {
  RopeScaling& scaling = rope.scaling;
  scaling.type = "longrope";
  scaling.short_factor = divisors_of(metadata, "rope_factors_short.weight", rope);
  scaling.long_factor = divisors_of(metadata, "rope_factors_long.weight", rope);
  HONE_CHECK(DataError, !scaling.short_factor.empty() && !scaling.long_factor.empty(),
             "{}: one of rope_factors_short.weight and rope_factors_long.weight is missing",
             metadata.where());
  scaling.original_max_position_embeddings = static_cast<double>(
      metadata.size("rope.scaling.original_context_length", spec.max_position_embeddings));
  HONE_CHECK(DataError, scaling.original_max_position_embeddings > 1,
             "{}: rope.scaling.original_context_length is {}", metadata.where(),
             scaling.original_max_position_embeddings);
  scaling.factor =
      static_cast<double>(spec.max_position_embeddings) / scaling.original_max_position_embeddings;
  scaling.attention_factor = metadata.number("rope.scaling.attn_factor", 1);
}

void read_scaling(const GgufMetadata& metadata, const Spec& spec, Rope& rope) {
  const std::string type = metadata.text("rope.scaling.type", "none");
  const bool has_lists = metadata.file().find("rope_factors_long.weight") != nullptr;
  if (type == "longrope" || has_lists) return read_longrope(metadata, spec, rope);
  const std::vector<double> divisors = divisors_of(metadata, "rope_freqs.weight", rope);
  if (!divisors.empty()) return use_divisors(divisors, spec, rope);
  if (type == "none") return;
  HONE_CHECK(DataError, type == "linear" || type == "yarn",
             "{}: rope.scaling.type `{}` is not supported; hone knows none, linear, yarn and "
             "longrope",
             metadata.where(), type);
  RopeScaling& scaling = rope.scaling;
  scaling.type = type;
  scaling.factor = metadata.number("rope.scaling.factor");
  HONE_CHECK(DataError, scaling.factor > 0, "{}: rope.scaling.factor is {}", metadata.where(),
             scaling.factor);
  scaling.original_max_position_embeddings = static_cast<double>(
      metadata.size("rope.scaling.original_context_length", spec.max_position_embeddings));
  if (type == "linear") return;
  HONE_CHECK(DataError, !metadata.has("rope.scaling.yarn_log_multiplier"),
             "{}: rope.scaling.yarn_log_multiplier is not supported", metadata.where());
  scaling.beta_fast = metadata.number("rope.scaling.yarn_beta_fast", scaling.beta_fast);
  scaling.beta_slow = metadata.number("rope.scaling.yarn_beta_slow", scaling.beta_slow);
  scaling.attention_factor =
      yarn_attention_factor(scaling.factor, 0, 0) * metadata.number("rope.scaling.attn_factor", 1);
}

}  // namespace

void read_ropes(const GgufMetadata& metadata, Spec& spec) {
  Rope rope;
  rope.rotary_dim = metadata.size("rope.dimension_count", spec.head_dim);
  HONE_CHECK(DataError,
             rope.rotary_dim > 0 && rope.rotary_dim <= spec.head_dim && rope.rotary_dim % 2 == 0,
             "{}: rope.dimension_count is {} of a head's {}; rotary needs pairs", metadata.where(),
             rope.rotary_dim, spec.head_dim);
  rope.theta = metadata.number("rope.freq_base", rope.theta);
  Rope local = rope;
  local.theta = metadata.number("rope.freq_base_swa", spec.family->gguf.local_theta);
  HONE_CHECK(DataError, rope.theta > 0 && local.theta >= 0,
             "{}: rope.freq_base {} should be positive", metadata.where(), rope.theta);
  read_scaling(metadata, spec, rope);
  spec.ropes = {std::move(rope)};
  if (local.theta > 0) {
    spec.ropes.push_back(std::move(local));
    for (LayerKind& layer : spec.layers) layer.rope = layer.window > 0 ? 1 : 0;
  }
  if (!spec.family->skips_rope) return;
  for (std::size_t i = kDefaultNoRopeInterval - 1; i < spec.layers.size();
       i += kDefaultNoRopeInterval)
    spec.layers[i].rope = -1;
}

}  // namespace hone::model
