#include "engine/run_lineage.h"

#include <ATen/Parallel.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/load.h"
#include "datasets/load.h"
#include "engine/preference_options.h"
#include "engine/version.h"
#include "model/load.h"
#include "report/process.h"
#include "tokenizer/content_hash.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

std::string full_path(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

/// What a folder's manifest tells of its own lineage. Other programs call files manifest.json too.
nlohmann::json lineage_in(const fs::path& folder) {
  if (!fs::exists(folder / checkpoint::kManifestName)) return nullptr;
  try {
    return checkpoint::read_manifest(folder).about.value(kLineageKey, nlohmann::json());
  } catch (const CheckpointError& error) {
    log::verbose("lineage {}", error.what());
    return nullptr;
  }
}

/// @param files those that are hashed, where they are there
Parent parent_at(const char* relation, const std::string& path,
                 std::initializer_list<const char*> files) {
  Parent parent{relation, full_path(path), {}, lineage_in(path)};
  for (const char* file : files)
    if (fs::exists(fs::path(path) / file))
      parent.files.push_back(
          {file, full_path(fs::path(path) / file), sha256_file(fs::path(path) / file)});
  return parent;
}

Parent adapter_parent(const char* relation, const std::string& path) {
  return parent_at(relation, path, {"adapter_config.json", "adapter_model.safetensors"});
}

DataInput describe_files(const std::string& name, const std::vector<std::string>& files,
                         const datasets::DataOptions& options) {
  DataInput input;
  input.name = name;
  for (const std::string& file : files) input.patterns.push_back(full_path(file));
  for (const auto& [path, sha256] : datasets::files_and_hashes(files, options))
    input.files.push_back({path, full_path(path), sha256});
  return input;
}

Lineage begin_lineage(const std::string& made_by, const std::string& base) {
  const fs::path path = resolve_model(base);
  Lineage lineage;
  lineage.made_by = made_by;
  lineage.made_at = report::utc_now();
  lineage.folder = fs::current_path();
  lineage.base = {base, full_path(path), ""};
  lineage.code = code_version();
  if (!lineage_in(path).is_null())
    lineage.parents.push_back(parent_at("base", path, {checkpoint::kManifestName}));
  return lineage;
}

}  // namespace

DataInput describe_rows(const std::string& name, const std::string& license,
                        const std::vector<std::string>& files, const datasets::Dataset& data,
                        const datasets::DataOptions& options) {
  const datasets::RowTotals& totals = data.totals();
  DataInput input = describe_files(name, files, options);
  input.license = license;
  input.rows = totals.rows;
  input.tokens = totals.tokens;
  input.trained_tokens = totals.trained_tokens;
  std::vector<std::string> hashes;
  for (const Input& file : input.files) hashes.push_back(file.sha256);
  HONE_CHECK(DataError, datasets::content_hash(hashes) == data.info().sha256,
             "{}: its files have changed since they were read; run again once they rest", name);
  return input;
}

Input describe_template(const std::string& option, const Text& text) {
  if (!text.chat_template) return {};
  const bool is_file = !option.empty() && text.named_template == nullptr;
  return {option.empty() ? kOwnTemplate : option, is_file ? full_path(option) : "",
          sha256_hex(text.chat_template->source())};
}

Lineage lineage_of_run(const RunOptions& options, const Placement& placement, const Text& text,
                       std::vector<DataInput> data) {
  Lineage lineage = begin_lineage("train", options.model.base);
  if (text.tokenizer)
    lineage.tokenizer = {text.source.filename(), full_path(text.source),
                         tokenizer::content_hash(text.source)};
  lineage.chat_template = describe_template(options.data.chat_template, text);
  lineage.data = std::move(data);
  for (const eval::SuiteOptions& suite : options.eval.suite)
    lineage.data.push_back(describe_files("eval.suite." + suite.name, suite.data, options.data));
  lineage.config = config::dump(options);
  lineage.machine = {report::host_facts().cpu_model, placement.device.str(),
                     dtype_label(placement.compute_dtype), dtype_label(placement.weight_dtype),
                     at::get_num_threads()};
  if (!options.adapter.init_from.empty())
    lineage.parents.push_back(adapter_parent("init_from", options.adapter.init_from));
  const auto reference = reference_options(options);
  if (reference && reference->reference != "none" && !needs_base(options))
    lineage.parents.push_back(parent_at("reference", resolve_model(reference->reference).string(),
                                        {"config.json", checkpoint::kManifestName}));
  return lineage;
}

Lineage lineage_of_adapters(const std::string& made_by, const std::string& base,
                            const std::vector<std::string>& adapters) {
  Lineage lineage = begin_lineage(made_by, base);
  lineage.base.sha256 = model::hash_of_weights(resolve_model(base));
  for (const std::string& adapter : adapters)
    lineage.parents.push_back(adapter_parent("adapter", adapter));
  return lineage;
}

void note_resumption(Lineage& lineage, const checkpoint::VerifiedFolder& checkpoint) {
  const nlohmann::json& about = checkpoint.manifest.about;
  Resumption resumption{about.at("step").get<std::int64_t>(),
                        full_path(checkpoint.folder),
                        sha256_file(checkpoint.folder / checkpoint::kManifestName),
                        "",
                        {}};
  if (about.contains(kLineageKey)) {
    const Lineage before = lineage_from(about[kLineageKey]);
    lineage.resumptions = before.resumptions;
    resumption.code = before.code;
    if (before.config != lineage.config) resumption.config = before.config;
  }
  lineage.resumptions.push_back(std::move(resumption));
}

}  // namespace hone::engine
