#include "cli/export_source.h"

#include <algorithm>

#include "base/log.h"
#include "checkpoint/manifest.h"
#include "config/load.h"
#include "engine/lineage.h"
#include "io/json.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;

/// A run's product: the folder of an adapter or of a model.
struct Product {
  fs::path folder;
  bool is_adapter;
};

Product product_of(const fs::path& run) {
  for (const char* below : {"adapter", "model", ""}) {
    const fs::path folder = *below == '\0' ? run : run / below;
    if (fs::exists(folder / adapters::kConfigFile)) return {folder, true};
    if (fs::exists(folder / "config.json")) return {folder, false};
  }
  throw DataError(fmt::format(
      "{}: expected a run's folder with adapter/ or model/ in it, or one of these; a run that was "
      "stopped has neither before it ends (hone train --resume auto)",
      run.string()));
}

/// What the product's manifest says besides its files; null without one.
nlohmann::json about_of(const fs::path& product) {
  if (!fs::exists(product / checkpoint::kManifestName)) return nullptr;
  return checkpoint::read_manifest(product).about;
}

/// Paths of a config are relative to where the run was started.
std::string located(const std::string& path, const std::string& started_in) {
  if (path.empty() || started_in.empty() || fs::exists(path) || fs::path(path).is_absolute())
    return path;
  const fs::path there = fs::path(started_in) / path;
  // What stands for no file (a name, a pattern) stays as it is, unless that folder has it.
  return fs::exists(there) || path.find('*') != std::string::npos ? there.string() : path;
}

void locate_all(std::vector<std::string>& paths, const std::string& started_in) {
  for (std::string& path : paths) path = located(path, started_in);
}

/// The config beside the product; defaults without one.
engine::RunOptions options_of(const fs::path& product, const std::string& started_in) {
  const fs::path config = product.parent_path() / "config.resolved.yaml";
  if (!fs::exists(config)) return config::defaults<engine::RunOptions>();
  engine::RunOptions options = config::load<engine::RunOptions>(config).options;
  locate_all(options.data.train, started_in);
  locate_all(options.data.eval, started_in);
  options.data.chat_template = located(options.data.chat_template, started_in);
  return options;
}

std::string base_of_adapter(const fs::path& adapter, const std::string& started_in) {
  const nlohmann::json config = io::read_json(adapter / adapters::kConfigFile);
  const nlohmann::json& base = config.value("base_model_name_or_path", nlohmann::json());
  HONE_CHECK(DataError, base.is_string(),
             "{}: does not say which model the adapter is for; name it with --model",
             (adapter / adapters::kConfigFile).string());
  return located(base.get<std::string>(), started_in);
}

/// Rows to measure on: those of --data, else what the run evaluated on, else what it trained on.
void choose_rows(const std::string& data, engine::RunOptions& options) {
  if (!data.empty()) {
    options.data.eval = {data};
    return;
  }
  std::vector<std::string>& eval = options.data.eval;
  const auto is_missing = [](const std::string& path) {
    return path.find('*') == std::string::npos && !fs::exists(path);
  };
  if (eval.empty()) eval = options.data.train;
  if (!std::ranges::any_of(eval, is_missing)) return;
  log::warn("the run's rows are no longer where they were ({}); name others with --data",
            eval.front());
  eval.clear();
}

ExportSource source_of_run(const ExportAsked& asked) {
  const Product product = product_of(asked.run);
  const nlohmann::json about = about_of(product.folder);
  ExportSource found;
  if (about.is_object()) found.origin = about.value(engine::kLineageKey, nlohmann::json());
  const std::string started_in =
      found.origin.is_object() ? found.origin.value("folder", std::string()) : "";
  found.options = options_of(product.folder, started_in);
  found.source.run = asked.run;
  if (product.is_adapter) {
    found.source.adapters = {product.folder};
    found.options.model.base =
        asked.model.empty() ? base_of_adapter(product.folder, started_in) : asked.model;
  } else {
    HONE_CHECK(ConfigError, asked.model.empty(),
               "--model {}: {} is a whole model and has no base; leave --model out, or RUN",
               asked.model, product.folder.string());
    // The model has in it what the run's options added to its base.
    auto own = config::defaults<engine::ModelOptions>();
    own.base = product.folder.string();
    found.options.model = own;
  }
  const fs::path record = product.folder.parent_path() / "run.json";
  if (fs::exists(record)) found.metrics = io::read_json(record);
  return found;
}

}  // namespace

ExportSource find_export_source(const ExportAsked& asked) {
  HONE_CHECK(ConfigError, !asked.run.empty() || !asked.model.empty(),
             "hone export: expected RUN, or --model M with or without --adapter A");
  HONE_CHECK(ConfigError, asked.run.empty() || asked.adapters.empty(),
             "hone export: RUN names the adapter; leave --adapter out, or RUN");
  ExportSource found;
  if (!asked.run.empty()) {
    found = source_of_run(asked);
  } else {
    found.options = config::defaults<engine::RunOptions>();
    found.options.model.base = asked.model;
    for (const std::string& adapter : asked.adapters) found.source.adapters.emplace_back(adapter);
  }
  choose_rows(asked.data, found.options);
  found.source.base = asked.base_name.empty() ? found.options.model.base : asked.base_name;
  return found;
}

}  // namespace hone::cli
