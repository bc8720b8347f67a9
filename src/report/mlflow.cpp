#include "report/mlflow.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "base/hash.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExperiment = "0";  // "Default", which every store has
/// MLflow's numbers for how a run is.
constexpr int kRunning = 1, kFinished = 3, kFailed = 4, kKilled = 5;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A text in quotes reads the same in YAML as in JSON.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void make_experiment(const fs::path& store) {
  const fs::path folder = store / kExperiment;
  make_folder(folder);
  make_folder(store / ".trash");
  if (fs::exists(folder / "meta.yaml")) return;
  const std::int64_t now = now_ms();
  write_file_atomically(folder / "meta.yaml",
                        fmt::format("artifact_location: {}\ncreation_time: {}\n"
                                    "experiment_id: '{}'\nlast_update_time: {}\n"
                                    "lifecycle_stage: active\nname: Default\n",
                                    quoted("file://" + folder.string()), now, kExperiment, now));
}

/// The lines of a metric's file up to a step; one that was torn ends them.
std::size_t bytes_through(const fs::path& path, std::int64_t last_step) {
  if (!fs::exists(path)) return 0;
  const std::string content = read_file(path);
  std::size_t keep = 0;
  for (std::size_t end; (end = content.find('\n', keep)) != std::string::npos; keep = end + 1) {
    std::istringstream line(content.substr(keep, end - keep));
    std::string time, value;
    std::int64_t step = 0;
    if (!(line >> time >> value >> step) || step > last_step) break;
  }
  return keep;
}

/// Python's float() reads it back to the bit.
std::string text_of(const MetricValue& value) {
  return std::visit([](auto number) { return fmt::format("{}", number); }, value);
}

void write_texts(const fs::path& folder, const std::map<std::string, std::string>& texts) {
  make_folder(folder);
  for (const auto& [name, text] : texts) write_file_atomically(folder / name, text);
}

/// When a run began that goes on.
std::int64_t start_time_in(const fs::path& meta) {
  const std::string text = fs::exists(meta) ? read_file(meta) : "";
  const std::size_t key = text.find("\nstart_time: ");
  return key == std::string::npos ? now_ms() : std::atoll(text.c_str() + key + 13);
}

}  // namespace

MlflowRun::MlflowRun(const fs::path& store, const fs::path& run_folder,
                     const std::map<std::string, std::string>& params, std::int64_t last_step)
    : run_folder_(fs::absolute(run_folder).lexically_normal()) {
  const fs::path root = fs::absolute(store).lexically_normal();
  make_experiment(root);
  folder_ = root / kExperiment / sha256_hex(run_folder_.string()).substr(0, 32);
  if (last_step == 0) fs::remove_all(folder_);
  start_time_ms_ = start_time_in(folder_ / "meta.yaml");
  make_folder(folder_ / "artifacts");
  make_folder(folder_ / "metrics");
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "metrics"))
    if (entry.is_regular_file()) {
      const std::string name = entry.path().lexically_relative(folder_ / "metrics");
      files_[name] =
          std::make_unique<LineFile>(entry.path(), bytes_through(entry.path(), last_step));
    }
  write_texts(folder_ / "params", params);
  write_texts(folder_ / "tags", {{"mlflow.runName", run_folder_.filename()},
                                 {"mlflow.source.name", "hone train"},
                                 {"mlflow.source.type", "LOCAL"}});
  write_meta(kRunning, 0);
}

void MlflowRun::write_meta(int status, std::int64_t end_time_ms) const {
  write_file_atomically(
      folder_ / "meta.yaml",
      fmt::format("artifact_uri: {}\nend_time: {}\nentry_point_name: ''\nexperiment_id: '{}'\n"
                  "lifecycle_stage: active\nrun_id: {}\nrun_name: {}\nrun_uuid: {}\n"
                  "source_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: {}\n"
                  "status: {}\ntags: []\nuser_id: ''\n",
                  quoted("file://" + (folder_ / "artifacts").string()),
                  end_time_ms == 0 ? "null" : fmt::format("{}", end_time_ms), kExperiment,
                  quoted(folder_.filename()), quoted(run_folder_.filename()),
                  quoted(folder_.filename()), start_time_ms_, status));
}

void MlflowRun::append(std::int64_t step, const Metrics& metrics) {
  const std::int64_t now = now_ms();
  for (const auto& [name, value] : metrics) {
    std::unique_ptr<LineFile>& file = files_[name];
    if (!file) {
      const fs::path path = folder_ / "metrics" / name;  // a name may have slashes
      make_folder(path.parent_path());
      file = std::make_unique<LineFile>(path, 0);
    }
    file->append(fmt::format("{} {} {}", now, text_of(value), step));
  }
}

void MlflowRun::close(const std::string& status) {
  write_meta(status == "done" ? kFinished : status == "stopped" ? kKilled : kFailed, now_ms());
}

}  // namespace hone::report
