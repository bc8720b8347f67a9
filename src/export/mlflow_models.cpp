#include "export/mlflow_models.h"

#include <fmt/format.h>

#include <ctime>
#include <iomanip>
#include <sstream>

#include "base/file.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;

/// @param text "2025-11-21T07:34:05Z"
std::int64_t milliseconds(const std::string& text) {
  std::tm time{};
  std::istringstream(text) >> std::get_time(&time, "%Y-%m-%dT%H:%M:%SZ");
  return std::int64_t(timegm(&time)) * 1000;
}

/// A text as YAML reads it whatever stands in it.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

void write_version(const fs::path& folder, const RegistryModel& model,
                   const RegistryVersion& version) {
  const fs::path below = folder / fmt::format("version-{}", version.number);
  make_folder(below);
  const std::string source = quoted("file://" + version.source);
  const std::int64_t time_ms = milliseconds(version.added_at);
  write_file_atomically(
      below / "meta.yaml",
      fmt::format("creation_timestamp: {}\ncurrent_stage: None\ndeployment_job_state: null\n"
                  "description: null\nlast_updated_timestamp: {}\nmodel_id: null\nname: {}\n"
                  "run_id: null\nrun_link: null\nsource: {}\nstatus: READY\nstatus_message: null\n"
                  "storage_location: {}\nuser_id: null\nversion: {}\nworkspace: default\n",
                  time_ms, time_ms, quoted(model.name), source, source, version.number));
}

}  // namespace

void write_mlflow_model(const fs::path& store, const RegistryModel& model) {
  const fs::path folder = store / "models" / model.name;
  make_folder(folder / "aliases");
  for (const RegistryVersion& version : model.versions) write_version(folder, model, version);
  std::string aliases = model.tags.empty() ? "aliases: {}\n" : "aliases:\n";
  for (const auto& [tag, number] : model.tags) {
    aliases += fmt::format("  {}: '{}'\n", quoted(tag), number);
    write_file_atomically(folder / "aliases" / tag, std::to_string(number));
  }
  write_file_atomically(
      folder / "meta.yaml",
      aliases +
          fmt::format("creation_timestamp: {}\ndeployment_job_id: null\n"
                      "deployment_job_state: null\ndescription: null\nlast_updated_timestamp: {}\n"
                      "name: {}\nworkspace: default\n",
                      milliseconds(model.versions.front().added_at),
                      milliseconds(model.versions.back().added_at), quoted(model.name)));
}

}  // namespace hone::exporting
