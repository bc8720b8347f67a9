#include "model/gguf_write.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/families.h"

namespace hone::model {
namespace {

/// A number that changes what a model computes, and who of llama.cpp's architectures reads it.
/// @source llama.cpp, load_arch_hparams of src/models/*.cpp
struct Multiplier {
  const char* key;
  double Spec::*value;
  double neutral;
  std::vector<std::string_view> architectures;
};

const std::vector<Multiplier>& multipliers() {
  static const std::vector<Multiplier> table = {
      {"attn_logit_softcapping", &Spec::attn_logit_softcapping, 0, {"gemma2"}},
      {"final_logit_softcapping", &Spec::final_logit_softcapping, 0, {"gemma2", "gemma3"}},
      {"logit_scale", &Spec::logits_scaling, 1, {"granite"}},
      {"residual_scale", &Spec::residual_multiplier, 1, {"granite"}},
      {"embedding_scale", &Spec::embedding_multiplier, 1, {"granite"}},
  };
  return table;
}

/// Adds values below the architecture's prefix.
class Section {
 public:
  Section(const Spec& spec, io::GgufContents& contents)
      : architecture_(spec.family->gguf.architecture), contents_(contents) {}

  std::string_view architecture() const { return architecture_; }
  void size(const char* key, std::int64_t value) { add(key, static_cast<std::uint32_t>(value)); }
  void number(const char* key, double value) { add(key, static_cast<float>(value)); }
  template <class T>
  void add(const char* key, const T& value) {
    contents_.add(fmt::format("{}.{}", architecture_, key), value);
  }

 private:
  std::string_view architecture_;
  io::GgufContents& contents_;
};

void add_sizes(const Spec& spec, Section& section) {
  section.size("vocab_size", spec.vocab_size);
  section.size("context_length", spec.max_position_embeddings);
  section.size("embedding_length", spec.hidden_size);
  section.size("block_count", spec.num_hidden_layers);
  section.size("feed_forward_length", spec.intermediate_size);
  section.size("attention.head_count", spec.num_attention_heads);
  section.size("attention.head_count_kv", spec.num_key_value_heads);
  section.size("attention.key_length", spec.head_dim);
  section.size("attention.value_length", spec.head_dim);
  section.number("attention.layer_norm_rms_epsilon", spec.rms_norm_eps);
  if (spec.moe.num_experts == 0) return;
  section.size("expert_count", spec.moe.num_experts);
  section.size("expert_used_count", spec.moe.num_experts_per_tok);
  section.size("expert_feed_forward_length", spec.moe.intermediate_size);
}

/// The scale that llama.cpp gives attention by itself.
double own_attention_scale(const Spec& spec) {
  const bool by_hidden = spec.num_hidden_layers == spec.family->gguf.scales_by_hidden_at;
  const std::int64_t size = by_hidden ? spec.hidden_size / spec.num_attention_heads : spec.head_dim;
  return 1 / std::sqrt(static_cast<double>(size));
}

void add_multipliers(const Spec& spec, Section& section) {
  for (const Multiplier& row : multipliers()) {
    const bool is_read = std::ranges::count(row.architectures, section.architecture()) > 0;
    if (is_read) {
      section.number(row.key, spec.*row.value);
      continue;
    }
    const bool is_own = row.value == &Spec::embedding_multiplier && spec.family->scales_embedding;
    HONE_CHECK(ConfigError, is_own || spec.*row.value == row.neutral,
               "llama.cpp reads no `{}` ({}) of the architecture `{}`; it cannot serve this model",
               row.key, spec.*row.value, section.architecture());
  }
  if (section.architecture() == "granite") {
    section.number("attention.scale", spec.attention_scale);
    return;
  }
  const double own = own_attention_scale(spec);
  HONE_CHECK(
      ConfigError, std::abs(spec.attention_scale / own - 1) < 1e-6,
      "attention is scaled by {}, but llama.cpp scales it by {} for the architecture `{}`; it "
      "cannot serve this model",
      spec.attention_scale, own, section.architecture());
}

/// llama.cpp gives windows to layers of Gemma alone.
/// @source llama.cpp, src/models/gemma2.cpp, gemma3.cpp; in phi3.cpp they are switched off
bool serves_windows(const Spec& spec) { return spec.family->windows == Windows::kAllButNth; }

void add_windows(const Spec& spec, Section& section) {
  if (!serves_windows(spec)) return;
  std::int64_t window = 0;
  std::vector<bool> slides;
  for (const LayerKind& layer : spec.layers) {
    HONE_CHECK(ConfigError, layer.window == 0 || window == 0 || layer.window == window,
               "layers have windows of {} and {} tokens; llama.cpp gives them one", window,
               layer.window);
    window = std::max(window, layer.window);
    slides.push_back(layer.window > 0);
  }
  section.size("attention.sliding_window", window);
  if (window == 0) return;
  std::vector<bool> own;
  for (std::size_t i = 0; i < slides.size(); ++i)
    own.push_back((static_cast<std::int64_t>(i) + 1) % spec.family->full_every != 0);
  if (slides != own) section.add("attention.sliding_window_pattern", slides);
}

/// Which layers do not rotate is llama.cpp's own knowledge: each fourth one of SmolLM 3.
void check_rotating_layers(const Spec& spec) {
  constexpr std::size_t kEvery = 4;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const bool stays = spec.family->skips_rope && (i + 1) % kEvery == 0;
    HONE_CHECK(ConfigError, stays == (spec.layers[i].rope < 0),
               "layer {} {} its positions, which llama.cpp does otherwise; it cannot serve this "
               "model",
               i, stays ? "rotates" : "does not rotate");
  }
}

void add_yarn(const RopeScaling& scaling, Section& section) {
  HONE_CHECK(ConfigError, scaling.truncate,
             "the rope's `truncate: false` is not known to llama.cpp; it cannot serve this model");
  section.number("rope.scaling.yarn_beta_fast", scaling.beta_fast);
  section.number("rope.scaling.yarn_beta_slow", scaling.beta_slow);
  const double own = yarn_attention_factor(scaling.factor, 0, 0);
  if (std::abs(scaling.attention_factor / own - 1) > 1e-6)
    section.number("rope.scaling.attn_factor", scaling.attention_factor / own);
}

/// Longrope whose two lists are one: divisors of no scaling that has a name.
bool is_plain_divisors(const RopeScaling& scaling) {
  return scaling.type == "longrope" && scaling.short_factor == scaling.long_factor &&
         scaling.attention_factor == 1;
}

/// @source llama.cpp, the tensors that src/models/*.cpp create
void check_divisors(std::string_view type, bool is_longrope, std::string_view architecture) {
  static constexpr std::string_view kOne[] = {"llama", "granite"};
  static constexpr std::string_view kTwo[] = {"llama", "granite", "phi3"};
  const bool known = is_longrope ? std::ranges::count(kTwo, architecture) > 0
                                 : std::ranges::count(kOne, architecture) > 0;
  HONE_CHECK(ConfigError, known,
             "llama.cpp reads no rope scaling `{}` of the architecture `{}`; it cannot serve this "
             "model",
             type, architecture);
}

void add_ropes(const Spec& spec, Section& section) {
  const Rope& rope = spec.ropes.front();
  const RopeScaling& scaling = rope.scaling;
  section.size("rope.dimension_count", rope.rotary_dim);
  section.number("rope.freq_base", rope.theta);
  if (spec.ropes.size() > 1) section.number("rope.freq_base_swa", spec.ropes[1].theta);
  if (scaling.type == "default") return;
  HONE_CHECK(ConfigError, scaling.type != "dynamic",
             "llama.cpp has no rope that changes with a document's length (`dynamic`); it cannot "
             "serve this model");
  if (scaling.original_max_position_embeddings > 0 && scaling.type != "llama3")
    section.size("rope.scaling.original_context_length",
                 std::llround(scaling.original_max_position_embeddings));
  if (scaling.type == "llama3" || scaling.type == "longrope")
    check_divisors(scaling.type, scaling.type == "longrope" && !is_plain_divisors(scaling),
                   section.architecture());
  if (scaling.type == "longrope" && scaling.attention_factor != 1)
    section.number("rope.scaling.attn_factor", scaling.attention_factor);
  if (scaling.type != "linear" && scaling.type != "yarn") return;
  section.add("rope.scaling.type", std::string_view(scaling.type));
  section.number("rope.scaling.factor", scaling.factor);
  if (scaling.type == "yarn") add_yarn(scaling, section);
}

/// Within each head, row i · n + j of `count` times n rows becomes row j · count + i.
Tensor swap_within_heads(const Tensor& rows, std::int64_t heads, std::int64_t count) {
  std::vector<std::int64_t> split = rows.sizes().vec();
  split.front() /= heads * count;
  split.insert(split.begin(), {heads, count});
  return rows.reshape(split).transpose(1, 2).reshape(rows.sizes()).contiguous();
}

std::vector<float> as_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

void describe_for_gguf(const Spec& spec, io::GgufContents& contents) {
  HONE_CHECK(ConfigError, !spec.family->gguf.architecture.empty(),
             "llama.cpp does not know models of the family `{}`", spec.family->model_type);
  HONE_CHECK(
      ConfigError, spec.num_labels == 0,
      "the model has a head of {} scores in the place of a language model's; a GGUF file that "
      "llama.cpp generates from holds none. Export it as Hugging Face folder",
      spec.num_labels);
  HONE_CHECK(ConfigError, spec.moe.num_experts == 0 || spec.moe.norm_topk_prob,
             "the weights of the chosen experts do not sum to 1 (`norm_topk_prob: false`), as "
             "llama.cpp has them; it cannot serve this model");
  check_rotating_layers(spec);
  contents.add("general.architecture", spec.family->gguf.architecture);
  Section section(spec, contents);
  add_sizes(spec, section);
  add_multipliers(spec, section);
  add_windows(spec, section);
  add_ropes(spec, section);
}

std::vector<GgufDivisors> rope_divisors_for_gguf(const Spec& spec) {
  const Rope& rope = spec.ropes.front();
  const RopeScaling& scaling = rope.scaling;
  if (is_plain_divisors(scaling)) return {{"rope_freqs.weight", as_floats(scaling.long_factor)}};
  if (scaling.type == "longrope")
    return {{"rope_factors_long.weight", as_floats(scaling.long_factor)},
            {"rope_factors_short.weight", as_floats(scaling.short_factor)}};
  if (scaling.type != "llama3") return {};
  Rope plain = rope;
  plain.scaling = {};
  const std::vector<double> frequencies = rope_frequencies(plain, 0);
  const std::vector<double> scaled = rope_frequencies(rope, 0);
  std::vector<float> divisors;
  for (std::size_t i = 0; i < scaled.size(); ++i)
    divisors.push_back(static_cast<float>(frequencies[i] / scaled[i]));
  return {{"rope_freqs.weight", std::move(divisors)}};
}

std::int64_t window_lost_in_gguf(const Spec& spec) {
  if (serves_windows(spec)) return 0;
  std::int64_t smallest = 0;
  for (const LayerKind& layer : spec.layers)
    if (layer.window > 0 && (smallest == 0 || layer.window < smallest)) smallest = layer.window;
  return smallest < spec.max_position_embeddings ? smallest : 0;
}

Tensor interleave_heads(const Tensor& rows, std::int64_t heads) {
  return swap_within_heads(rows, heads, 2);
}

Tensor separate_heads(const Tensor& rows, std::int64_t heads) {
  return swap_within_heads(rows, heads, rows.size(0) / heads / 2);
}

}  // namespace hone::model
