#include "model/rope_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "model/families.h"

namespace hone::model {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kTypes = {"default", "linear", "dynamic",
                                                    "llama3",  "yarn",   "longrope"};

/// What configs call the same types otherwise.
std::string canonical_type(std::string type) {
  if (type == "su") return "longrope";  // early Phi 3 files
  return type;
}

bool is_positive(double number) { return number > 0; }

void read_yarn(const ConfigReader& rope, RopeScaling& scaling) {
  scaling.beta_fast = rope.get<double>("beta_fast", scaling.beta_fast);
  scaling.beta_slow = rope.get<double>("beta_slow", scaling.beta_slow);
  scaling.truncate = rope.get<bool>("truncate", true);
  HONE_CHECK(DataError, scaling.beta_fast > 0 && scaling.beta_slow > 0,
             "{}: beta_fast {} and beta_slow {} should be positive", rope.where(),
             scaling.beta_fast, scaling.beta_slow);
  const double natural = yarn_attention_factor(scaling.factor, rope.get<double>("mscale", 0.0),
                                               rope.get<double>("mscale_all_dim", 0.0));
  scaling.attention_factor = rope.get<double>("attention_factor", natural);
}

void read_longrope(const ConfigReader& rope, const Rope& of, RopeScaling& scaling) {
  const auto pairs = static_cast<std::size_t>(of.rotary_dim / 2);
  scaling.short_factor = rope.list<double>("short_factor", pairs);
  scaling.long_factor = rope.list<double>("long_factor", pairs);
  for (const auto* factors : {&scaling.short_factor, &scaling.long_factor})
    HONE_CHECK(DataError, std::all_of(factors->begin(), factors->end(), is_positive),
               "{}: a divisor among {} is not positive", rope.where(), fmt::join(*factors, ", "));
  const double natural =
      longrope_attention_factor(scaling.factor, scaling.original_max_position_embeddings);
  scaling.attention_factor = rope.get<double>("attention_factor", natural);
}

RopeScaling read_scaling(const ConfigReader& config, const ConfigReader& rope, const Rope& of,
                         const Spec& spec) {
  RopeScaling scaling;
  scaling.type = canonical_type(rope.has("rope_type") ? rope.get<std::string>("rope_type")
                                                      : rope.get<std::string>("type", "default"));
  HONE_CHECK(DataError, std::find(kTypes.begin(), kTypes.end(), scaling.type) != kTypes.end(),
             "{}: the rope type `{}` is not supported; hone knows {}", rope.where(), scaling.type,
             fmt::join(kTypes, ", "));
  if (scaling.type == "default") return scaling;
  const auto context = static_cast<double>(spec.max_position_embeddings);
  // Phi 3 has it beside the scaling; dynamic means the model's own context.
  scaling.original_max_position_embeddings =
      scaling.type == "dynamic"
          ? context
          : rope.get<double>("original_max_position_embeddings",
                             config.get<double>("original_max_position_embeddings", context));
  HONE_CHECK(DataError, scaling.original_max_position_embeddings > 1,
             "{}: original_max_position_embeddings is {}", rope.where(),
             scaling.original_max_position_embeddings);
  const bool may_lack_factor = scaling.type == "yarn" || scaling.type == "longrope";
  scaling.factor =
      may_lack_factor
          ? rope.get<double>("factor", context / scaling.original_max_position_embeddings)
          : rope.get<double>("factor");
  HONE_CHECK(DataError, scaling.factor > 0, "{}: the factor {} should be positive", rope.where(),
             scaling.factor);
  if (scaling.type == "llama3") {
    scaling.low_freq_factor = rope.get<double>("low_freq_factor");
    scaling.high_freq_factor = rope.get<double>("high_freq_factor");
    HONE_CHECK(DataError,
               scaling.low_freq_factor > 0 && scaling.low_freq_factor < scaling.high_freq_factor,
               "{}: low_freq_factor {} should be positive and below high_freq_factor {}",
               rope.where(), scaling.low_freq_factor, scaling.high_freq_factor);
  }
  if (scaling.type == "yarn") read_yarn(rope, scaling);
  if (scaling.type == "longrope") read_longrope(rope, of, scaling);
  HONE_CHECK(DataError, scaling.attention_factor > 0, "{}: attention_factor {} should be positive",
             rope.where(), scaling.attention_factor);
  return scaling;
}

/// @param rope the object with the scaling; the config itself where there is none
Rope read_rope(const ConfigReader& config, const ConfigReader& rope, const Spec& spec,
               bool is_scaled) {
  Rope result;
  result.theta = rope.get<double>("rope_theta", config.get<double>("rope_theta", result.theta));
  HONE_CHECK(DataError, result.theta > 0, "{}: rope_theta {} should be positive", rope.where(),
             result.theta);
  const double share =
      rope.get<double>("partial_rotary_factor", config.get<double>("partial_rotary_factor", 1.0));
  HONE_CHECK(DataError, share > 0 && share <= 1,
             "{}: partial_rotary_factor is {}; expected a share of a head", rope.where(), share);
  result.rotary_dim = static_cast<std::int64_t>(static_cast<double>(spec.head_dim) * share);
  HONE_CHECK(DataError, result.rotary_dim > 0 && result.rotary_dim % 2 == 0,
             "{}: {} of the {} elements of a head would turn (partial_rotary_factor {}); rotary "
             "needs pairs",
             rope.where(), result.rotary_dim, spec.head_dim, share);
  if (is_scaled) result.scaling = read_scaling(config, rope, result, spec);
  return result;
}

/// The keys that read_scaling() reads for this type.
ordered_json scaling_json(const RopeScaling& s) {
  ordered_json json = {{"rope_type", s.type}};
  if (s.type == "default") return json;
  json["factor"] = s.factor;
  if (s.type == "linear" || s.type == "dynamic") return json;
  json["original_max_position_embeddings"] =
      static_cast<std::int64_t>(s.original_max_position_embeddings);
  if (s.type == "llama3") {
    json["low_freq_factor"] = s.low_freq_factor;
    json["high_freq_factor"] = s.high_freq_factor;
    return json;
  }
  json["attention_factor"] = s.attention_factor;
  if (s.type == "yarn") {
    json["beta_fast"] = s.beta_fast;
    json["beta_slow"] = s.beta_slow;
    json["truncate"] = s.truncate;
  }
  if (s.type == "longrope") {
    json["short_factor"] = s.short_factor;
    json["long_factor"] = s.long_factor;
  }
  return json;
}

bool slides(const LayerKind& layer) { return layer.window > 0; }

/// Layers that see a window turn by the second rope.
void use_two_ropes(Spec& spec) {
  for (LayerKind& layer : spec.layers) layer.rope = slides(layer) ? 1 : 0;
}

}  // namespace

void read_ropes(const ConfigReader& config, Spec& spec) {
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const bool is_given = config.has(key);
  const ConfigReader rope = is_given ? config.object(key) : config;
  if (is_given && rope.has("full_attention") && rope.has("sliding_attention")) {
    for (const char* kind : {"full_attention", "sliding_attention"})
      spec.ropes.push_back(read_rope(config, rope.object(kind), spec, true));
    use_two_ropes(spec);
    return;
  }
  spec.ropes.push_back(read_rope(config, rope, spec, is_given));
  if (!config.has("rope_local_base_freq")) return;  // Gemma 3 before transformers 5
  Rope local = spec.ropes.front();
  local.theta = config.get<double>("rope_local_base_freq");
  local.scaling = {};
  spec.ropes.push_back(std::move(local));
  use_two_ropes(spec);
}

void override_rope(const RopeScalingOptions& options, Spec& spec) {
  if (!options.rope_type) return;
  const nlohmann::json given = as_config(options);
  const ConfigReader reader(given, "model.rope_scaling");
  Rope& rope = spec.ropes.front();
  rope.theta = reader.get<double>("rope_theta", rope.theta);
  rope.scaling = read_scaling(reader, reader, rope, spec);
  spec.rope_is_overridden = true;
}

ordered_json rope_parameters(const Rope& rope) {
  ordered_json parameters = scaling_json(rope.scaling);
  parameters["rope_theta"] = rope.theta;
  return parameters;
}

void write_rope(const Spec& spec, nlohmann::ordered_json& config) {
  const Rope& rope = spec.ropes.front();
  if (config.contains("rope_parameters")) {
    ordered_json& all = config["rope_parameters"];
    ordered_json& own = all.contains("full_attention") ? all["full_attention"] : all;
    ordered_json parameters = rope_parameters(rope);
    if (own.contains("partial_rotary_factor"))
      parameters["partial_rotary_factor"] = own["partial_rotary_factor"];
    own = std::move(parameters);
    return;
  }
  config["rope_theta"] = rope.theta;
  if (rope.rotary_dim != spec.head_dim)
    config["partial_rotary_factor"] =
        static_cast<double>(rope.rotary_dim) / static_cast<double>(spec.head_dim);
  config.erase("rope_scaling");
  if (rope.scaling.type != "default") config["rope_scaling"] = scaling_json(rope.scaling);
  if (spec.ropes.size() > 1) config["rope_local_base_freq"] = spec.ropes[1].theta;
}

}  // namespace hone::model
