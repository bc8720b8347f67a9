// Reading and writing adapters as PEFT's save_pretrained does.

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "adapters/adapter.h"
#include "adapters/fingerprint.h"
#include "adapters/initial.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/score_head.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPrefix = "base_model.model.";
constexpr const char* kFingerprint = "hone_base";
constexpr const char* kFingerprintRows = "hone_base_rows";
constexpr const char* kScore = "score";
/// The release whose keys these are.
constexpr const char* kPeftVersion = "0.21.2";

/// Keys of every config, which say where an adapter comes from.
const std::set<std::string> kAboutKeys = {
    "peft_type", "task_type",     "auto_mapping", "peft_version", "base_model_name_or_path",
    "revision",  "inference_mode"};

/// True for a value that switches nothing on.
bool is_off(const json& value) {
  return value.is_null() || value == false || value == json::object() || value == json::array();
}

/// Refuses settings that change what the adapter computes and that hone does not honour.
void check_supported(const Method& method, const json& config, const std::string& where) {
  std::vector<std::string> problems;
  for (const ConfigKey& key : method.keys) {
    if (key.option != nullptr || key.is_free || !config.contains(key.key)) continue;
    const json& value = config[key.key];
    if (value != key.preset && !(is_off(value) && is_off(key.preset)))
      problems.push_back(fmt::format("{} = {}", key.key, value.dump()));
  }
  HONE_CHECK(DataError, problems.empty(), "{}: hone does not support these settings: {}", where,
             fmt::join(problems, ", "));
}

void warn_of_unknown(const Method& method, const json& config, const std::string& where) {
  for (const auto& [key, value] : config.items()) {
    const bool known =
        kAboutKeys.count(key) > 0 ||
        std::any_of(method.keys.begin(), method.keys.end(),
                    [&, &name = key](const ConfigKey& one) { return name == one.key; });
    if (!known && !is_off(value))
      log::warn("{}: the key `{}` is not one that hone knows; it is passed over", where, key);
  }
}

/// For a classifier PEFT trains whichever head the model has of the two names, and lists both.
void take_head_that_is_there(const json& config, json& values) {
  if (config.value("task_type", json()) != "SEQ_CLS") return;
  json& saved = values["modules_to_save"];
  if (!saved.is_array() || std::find(saved.begin(), saved.end(), kScore) == saved.end()) return;
  saved.erase(std::remove(saved.begin(), saved.end(), "classifier"), saved.end());
}

/// The method and its settings: every key that PEFT has, with PEFT's default where the file is of
/// an older release and lacks it.
std::pair<const Method*, Settings> read_config(const fs::path& folder) {
  const std::string where = (folder / kConfigFile).string();
  HONE_CHECK(DataError, fs::exists(folder / kConfigFile),
             "{}: not found; an adapter is a folder with {} and {}, as PEFT writes it", where,
             kConfigFile, kWeightsFile);
  json config = io::read_json(folder / kConfigFile);
  const auto type = Settings(config, where).get<std::string>("peft_type");
  const Method* method = find_peft_type(type);
  std::set<std::string> known;
  for (const Method& one : methods()) known.insert(one.peft_type);
  HONE_CHECK(DataError, method != nullptr, "{}: hone does not know the peft_type `{}`; it knows {}",
             where, type, fmt::join(known, ", "));
  check_supported(*method, config, where);
  warn_of_unknown(*method, config, where);
  json values = json::object();
  for (const ConfigKey& key : method->keys)
    values[key.key] = config.contains(key.key) ? config[key.key] : key.preset;
  take_head_that_is_there(config, values);
  return {method, Settings(std::move(values), where)};
}

/// Takes tensors out of the file by name, and keeps what does not fit.
class Reader {
 public:
  Reader(const io::SafetensorsFile& file, torch::Device device) : file_(file), device_(device) {
    for (const io::TensorView& view : file.tensors()) unused_.insert(view.name);
  }

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  /// The file may hold it; nothing reads it.
  void pass_over(const std::string& name) { unused_.erase(name); }

  /// Puts a stored tensor in the place of `tensor`.
  void read(const std::string& name, Tensor& tensor) {
    const io::TensorView* view = file_.find(name);
    unused_.erase(name);
    if (view == nullptr) {
      problems_.push_back(name + " is missing");
    } else if (view->shape != tensor.sizes().vec()) {
      problems_.push_back(fmt::format("{} is [{}], expected [{}]", name,
                                      fmt::join(view->shape, ", "),
                                      fmt::join(tensor.sizes(), ", ")));
    } else {
      tensor = model::to_tensor(*view).to(torch::kFloat32).to(device_);
    }
  }

  void refuse_if_any(const fs::path& file) {
    for (const std::string& name : unused_) problems_.push_back(name + " belongs to no module");
    constexpr std::size_t kShown = 20;
    const std::size_t count = problems_.size();
    if (count > kShown) problems_.resize(kShown);
    HONE_CHECK(DataError, problems_.empty(),
               "{}: does not fit the model ({} tensors):\n  {}{}\nIs it an adapter for another "
               "base?",
               file.string(), count, fmt::join(problems_, "\n  "), count > kShown ? "\n  …" : "");
  }

 private:
  const io::SafetensorsFile& file_;
  torch::Device device_;
  std::set<std::string> unused_;
  std::vector<std::string> problems_;
};

void read_tensors(Adapter& adapter, Reader& reader) {
  for (AdaptedModule& module : adapter.modules)
    for (auto& [name, tensor] : module.tensors)
      reader.read(kPrefix + module.site.file_name() + "." + name, tensor);
  for (auto& [name, tensor] : adapter.shared) {
    // VeRA's matrices may be left out: they follow from their key.
    if (reader.has("base_model." + name) || !adapter.settings.values().contains("save_projection"))
      reader.read("base_model." + name, tensor);
  }
  for (auto& [name, tensor] : adapter.virtual_tensors) reader.read(name, tensor);
  for (Replacement& one : adapter.replaced)
    if (!one.file_name.empty()) reader.read(kPrefix + one.file_name, one.tensor);
  for (TokenRows& tokens : adapter.token_rows) reader.read(kPrefix + tokens.file_name, tokens.rows);
}

/// Embedding and head of the base, which PEFT saves along where one is adapted or tokens were
/// added: they stand in for the base's. What PEFT then saves a second time is passed over.
void add_saved_bases(Adapter& adapter, Reader& reader, model::Decoder& decoder) {
  for (const std::string module : {"model.embed_tokens", "lm_head"}) {
    const Tensor* weight = find_weight(decoder, module + ".weight");
    if (weight == nullptr) continue;
    const bool is_trained =
        std::any_of(adapter.replaced.begin(), adapter.replaced.end(),
                    [&](const Replacement& one) { return one.weight == module + ".weight"; });
    for (const char* part : {".weight", ".base_layer.weight", ".token_adapter.base_layer.weight"})
      if (!is_trained && reader.has(kPrefix + module + part))
        adapter.replaced.push_back(
            {module + ".weight", module + part, weight->to(torch::kFloat32), false, {}});
    for (const char* part : {".original_module.weight", ".modules_to_save.weight"})
      reader.pass_over(kPrefix + module + part);
  }
  if (!decoder.spec.tie_word_embeddings) return;
  for (const TokenRows& tokens : adapter.token_rows)
    reader.pass_over(kPrefix + std::string("lm_head") +
                     tokens.file_name.substr(tokens.module.size()));
}

/// The mark of the rows that the adapter's own base had: the model may have been given more since.
std::string mark_beside(const io::SafetensorsFile& file, const Adapter& adapter,
                        const model::Decoder& decoder) {
  const auto recorded = file.metadata().find(kFingerprintRows);
  std::int64_t rows = 0;
  if (recorded != file.metadata().end())
    std::from_chars(recorded->second.data(), recorded->second.data() + recorded->second.size(),
                    rows);
  const bool fits = rows > 0 && rows <= decoder.spec.vocab_size;
  return fits ? fingerprint(decoder, rows) : adapter.base_fingerprint;
}

/// A reward model's head comes with its adapter: its base may be a language model.
void add_missing_head(const io::SafetensorsFile& file, model::Decoder& decoder) {
  const io::TensorView* head = file.find(std::string(kPrefix) + kScore + ".weight");
  if (head != nullptr && head->shape.size() == 2 && decoder.spec.num_labels == 0)
    model::add_score_head(decoder, head->shape[0], 0);
}

bool trains_score(const Settings& settings) {
  const std::vector<std::string> saved = settings.texts("modules_to_save");
  return std::find(saved.begin(), saved.end(), kScore) != saved.end();
}

void check_base(const io::SafetensorsFile& file, const Adapter& adapter,
                const model::Decoder& decoder) {
  const auto recorded = file.metadata().find(kFingerprint);
  if (recorded == file.metadata().end() || decoder.device().is_meta()) return;
  HONE_CHECK(DataError, same_base(recorded->second, mark_beside(file, adapter, decoder)),
             "{}: was trained on another base than this model: the sizes are the same, the weights "
             "are not. adapter_config.json says which one",
             file.path().string());
}

}  // namespace

Adapter load_adapter(const fs::path& folder, model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  auto [method, settings] = read_config(folder);
  const io::SafetensorsFile file(folder / kWeightsFile);
  add_missing_head(file, decoder);
  if (method->complete_from_file != nullptr)
    method->complete_from_file(
        [&file](const std::string& name) {
          const io::TensorView* view = file.find(kPrefix + name);
          return view == nullptr ? std::vector<std::int64_t>() : view->shape;
        },
        sites_of(decoder), settings);
  Adapter adapter = make_adapter(decoder, *method, settings, 0);
  // A folder holds what an encoder made, not the encoder.
  if (method->exported != nullptr)
    adapter.virtual_tensors = method->exported(adapter.settings, adapter.virtual_tensors);
  Reader reader(file, decoder.device());
  add_saved_bases(adapter, reader, decoder);
  read_tensors(adapter, reader);
  reader.refuse_if_any(folder / kWeightsFile);
  check_base(file, adapter, decoder);
  return adapter;
}

void save_adapter(const Adapter& trained, const fs::path& folder, const std::string& base) {
  const Adapter adapter = trained.took_over_directions() ? as_plain_lora(trained) : trained;
  make_folder(folder);
  model::HostTensors tensors;
  for (const NamedTensor& named : adapter.exported()) tensors.add(named.name, named.tensor);
  io::write_safetensors(folder / kWeightsFile, tensors.views(),
                        {{"format", "pt"},
                         {kFingerprint, adapter.base_fingerprint},
                         {kFingerprintRows, std::to_string(adapter.base_rows)}});

  json config = adapter.settings.values();
  // PEFT takes this word for an order to begin so, and would quantise the base that it loads onto.
  if (config.value("init_lora_weights", json(true)) == "loftq") config["init_lora_weights"] = true;
  config.update({{"peft_type", adapter.method->peft_type},
                 {"task_type", trains_score(adapter.settings) ? "SEQ_CLS" : "CAUSAL_LM"},
                 {"auto_mapping", nullptr},
                 {"peft_version", kPeftVersion},
                 {"base_model_name_or_path", base},
                 {"revision", nullptr},
                 {"inference_mode", true}});
  // The config comes last: a folder that has it is whole.
  write_file_atomically(folder / kConfigFile, config.dump(2) + "\n");
}

}  // namespace hone::adapters
