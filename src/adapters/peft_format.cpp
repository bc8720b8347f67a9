// Reading and writing adapters as PEFT's save_pretrained does.

#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "adapters/lora.h"
#include "base/error.h"
#include "base/file.h"
#include "config/load.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPrefix = "base_model.model.";
constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";

/// A setting of LoraConfig that changes what the adapter computes and that hone cannot honour yet,
/// with the values under which it changes nothing.
struct Unsupported {
  const char* key;
  std::vector<json> harmless;
};

const std::vector<Unsupported>& unsupported_settings() {
  static const std::vector<Unsupported> settings = {
      {"bias", {"none"}},
      {"use_dora", {false}},
      {"use_qalora", {false}},
      {"use_bdlora", {}},
      {"lora_bias", {false}},
      {"fan_in_fan_out", {false}},
      {"rank_pattern", {json::object()}},
      {"alpha_pattern", {json::object()}},
      {"modules_to_save", {json::array()}},
      {"trainable_token_indices", {}},
      {"target_parameters", {json::array()}},
      {"layer_replication", {}},
      {"alora_invocation_tokens", {}},
  };
  return settings;
}

void check_supported(const json& config, const std::string& where) {
  std::vector<std::string> problems;
  for (const auto& [key, harmless] : unsupported_settings()) {
    if (!config.contains(key) || config[key].is_null()) continue;
    if (std::find(harmless.begin(), harmless.end(), config[key]) == harmless.end())
      problems.push_back(fmt::format("{} = {}", key, config[key].dump()));
  }
  HONE_CHECK(DataError, problems.empty(), "{}: hone does not support these settings: {}", where,
             fmt::join(problems, ", "));
}

template <class T>
T setting(const json& config, const char* key, const std::string& where) {
  try {
    return config.at(key).get<T>();
  } catch (const json::exception&) {
    throw DataError(fmt::format("{}: `{}` is missing or of another type", where, key));
  }
}

AdapterOptions options_from(const json& config, const std::string& where) {
  const auto type = setting<std::string>(config, "peft_type", where);
  HONE_CHECK(DataError, type == "LORA", "{}: the peft_type `{}` is not supported; expected LORA",
             where, type);
  check_supported(config, where);
  AdapterOptions options = config::defaults<AdapterOptions>();
  options.method = "lora";
  options.r = setting<std::int64_t>(config, "r", where);
  options.lora_alpha = setting<double>(config, "lora_alpha", where);
  options.lora_dropout = config.value("lora_dropout", 0.0);
  options.use_rslora = config.value("use_rslora", false);
  HONE_CHECK(DataError, options.r > 0, "{}: `r` is {}; expected at least 1", where, options.r);
  return options;
}

Tensor read_matrix(const io::SafetensorsFile& file, const std::string& name,
                   const std::vector<std::int64_t>& shape, std::vector<std::string>& problems) {
  const io::TensorView* view = file.find(name);
  if (view == nullptr) {
    problems.push_back(fmt::format("{} is missing", name));
    return {};
  }
  if (view->shape != shape) {
    problems.push_back(fmt::format("{} is [{}], expected [{}]", name, fmt::join(view->shape, ", "),
                                   fmt::join(shape, ", ")));
    return {};
  }
  return model::to_tensor(*view).to(torch::kFloat32);
}

}  // namespace

Lora load_lora(const fs::path& folder, model::Decoder& decoder) {
  const std::string where = (folder / kConfigFile).string();
  HONE_CHECK(DataError, fs::exists(folder / kConfigFile),
             "{}: not found; an adapter is a folder with {} and {}, as PEFT writes it", where,
             kConfigFile, kWeightsFile);
  Lora lora{options_from(io::read_json(folder / kConfigFile), where), {}};
  const io::SafetensorsFile file(folder / kWeightsFile);

  std::set<std::string> unused;
  for (const io::TensorView& view : file.tensors()) unused.insert(view.name);
  std::vector<std::string> problems;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    const std::string prefix = kPrefix + linear.name;
    const std::string name_a = prefix + ".lora_A.weight", name_b = prefix + ".lora_B.weight";
    if (unused.erase(name_a) + unused.erase(name_b) == 0) return;
    const std::int64_t out = linear.out_features(), in = linear.in_features(), r = lora.options.r;
    lora.layers.push_back({linear.name, read_matrix(file, name_a, {r, in}, problems),
                           read_matrix(file, name_b, {out, r}, problems)});
  });
  for (const std::string& name : unused) problems.push_back(name + " belongs to no layer");
  if (lora.layers.empty()) problems.push_back("no layer of this model is adapted");
  HONE_CHECK(DataError, problems.empty(), "{}: does not fit the model:\n  {}",
             (folder / kWeightsFile).string(), fmt::join(problems, "\n  "));
  lora.options.target_modules = name_targets(lora.layers, decoder);
  for (LoraLayer& layer : lora.layers) {
    layer.a = layer.a.to(decoder.device());
    layer.b = layer.b.to(decoder.device());
  }
  return lora;
}

void save_lora(const Lora& lora, const fs::path& folder, const std::string& base) {
  make_folder(folder);
  model::HostTensors tensors;
  for (const LoraLayer& layer : lora.layers) {
    tensors.add(kPrefix + layer.module + ".lora_A.weight", layer.a);
    tensors.add(kPrefix + layer.module + ".lora_B.weight", layer.b);
  }
  io::write_safetensors(folder / kWeightsFile, tensors.views(), {{"format", "pt"}});

  const AdapterOptions& o = lora.options;
  const json alpha = o.lora_alpha == std::floor(o.lora_alpha)
                         ? json(static_cast<std::int64_t>(o.lora_alpha))
                         : json(o.lora_alpha);
  const json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base},
                       {"r", o.r},
                       {"lora_alpha", alpha},
                       {"lora_dropout", o.lora_dropout},
                       {"use_rslora", o.use_rslora},
                       {"use_dora", false},
                       {"target_modules", o.target_modules},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"modules_to_save", nullptr},
                       {"layers_to_transform", nullptr},
                       {"layers_pattern", nullptr},
                       {"rank_pattern", json::object()},
                       {"alpha_pattern", json::object()},
                       {"revision", nullptr}};
  // The config comes last: a folder that has it is whole.
  write_file_atomically(folder / kConfigFile, config.dump(2) + "\n");
}

}  // namespace hone::adapters
