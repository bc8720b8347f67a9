#include "checkpoint/checkpoints.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";

/// `step-120` gives 120; `step-0120`, `step-120.replaced` and the like give nothing.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = -1;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  const bool exact = step >= 0 && name == fmt::format("{}{}", kPrefix, step);
  return exact ? std::optional(step) : std::nullopt;
}

VerifiedFolder verify_entry(const Entry& entry, const Verify& read) {
  VerifiedFolder verified = read(entry.folder);
  HONE_CHECK(CheckpointError, verified.manifest.kind == kCheckpointKind,
             "{}: holds a folder of kind '{}', not a checkpoint", entry.folder.string(),
             verified.manifest.kind);
  const nlohmann::json step = verified.manifest.about.value("step", nlohmann::json());
  HONE_CHECK(CheckpointError, step == entry.step, "{}: holds step {}: it has been renamed",
             entry.folder.string(), step.dump());
  return verified;
}

}  // namespace

fs::path folder_of_step(const fs::path& run_folder, std::int64_t step) {
  return run_folder / "checkpoints" / fmt::format("{}{}", kPrefix, step);
}

std::vector<Entry> list(const fs::path& run_folder) {
  std::vector<Entry> entries;
  const fs::path folder = run_folder / "checkpoints";
  if (!fs::is_directory(folder)) return entries;
  for (const auto& item : fs::directory_iterator(folder))
    if (const auto step = step_of(item.path().filename().string()); step && item.is_directory())
      entries.push_back({*step, item.path()});
  std::ranges::sort(entries, {}, &Entry::step);
  return entries;
}

void warn_skipped(const fs::path&, const std::string& reason) {
  log::warn("a checkpoint is passed over: {}", reason);
}

std::optional<VerifiedFolder> newest_valid(const fs::path& run_folder, const OnSkipped& on_skipped,
                                           const StepFilter& among, const Verify& read) {
  const std::vector<Entry> entries = list(run_folder);
  for (const Entry& entry : std::views::reverse(entries)) {
    if (among && !among(entry.step)) continue;
    try {
      return verify_entry(entry, read);
    } catch (const DistributedError&) {
      throw;  // another rank is gone: that says nothing of the checkpoint
    } catch (const std::exception& error) {
      on_skipped(entry.folder, error.what());
    }
  }
  return std::nullopt;
}

void retain(const fs::path& run_folder, std::int64_t keep_last, const StepFilter& keep_also) {
  std::vector<Entry> entries = list(run_folder);
  if (keep_last <= 0 || std::ssize(entries) <= keep_last) return;
  const auto newest = newest_valid(run_folder);
  if (!newest) return;
  entries.resize(entries.size() - static_cast<std::size_t>(keep_last));
  for (const Entry& entry : entries)
    if (entry.folder != newest->folder && !(keep_also && keep_also(entry.step)))
      remove_folder(entry.folder);
}

void set_aside_after(const fs::path& run_folder, std::int64_t step) {
  for (const Entry& entry : list(run_folder)) {
    if (entry.step <= step) continue;
    const fs::path aside = keep_aside(entry.folder, "superseded");
    log::info("{}: is after step {}; kept as {}", entry.folder.string(), step, aside.string());
  }
}

}  // namespace hone::checkpoint
