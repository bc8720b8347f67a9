#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "checkpoint/manifest.h"

namespace hone::checkpoint {

/// A folder that appears under its name complete and with a manifest, or not at all. It is built
/// beside its place as `.NAME.PID.tmp`; without `commit()` nothing is left behind.
///
///     FolderWriter writer(run / "adapter");
///     writer.write("adapter_config.json", text);
///     io::write_safetensors(writer.folder() / "adapter_model.safetensors", tensors);
///     writer.commit("adapter", {{"step", 120}});
class FolderWriter {
 public:
  /// @throws IoError when the folder cannot be made
  explicit FolderWriter(std::filesystem::path destination);
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  /// Where its files are to be written, by whatever means; subfolders are fine.
  const std::filesystem::path& folder() const { return temporary_; }
  /// @throws IoError naming path and reason when the disk is full or fails
  void write(const std::string& name, std::string_view content) const;

  /// Flushes every file, writes the manifest last, and puts the folder in its place. An earlier
  /// folder of hone's there is replaced: at every instant the old one or the new one is whole.
  /// Anything without a manifest is not hone's to delete and is kept as `NAME.replaced`.
  /// @param others files that other processes have written into folder(), flushed and hashed
  /// @throws IoError, with the destination as it was before
  void commit(const std::string& kind, const nlohmann::json& about,
              const Manifest::Files& others = {});

 private:
  void put_in_place();

  std::filesystem::path destination_, temporary_;
};

/// Flushes a file to the disk. @return its size and its hash; @throws IoError
Manifest::File flush_file(const std::filesystem::path& path);

/// Removes what killed processes left in `folder` (`.NAME.PID.tmp`, `.NAME.PID.old`; files too),
/// and brings back an old folder whose replacement never took its place. Whatever belongs to
/// another living process of this machine stays. To be called at a run's start, before this process
/// writes there: what carries this process's own id is then left over from an earlier one.
/// @return how many leftovers were dealt with
int clean_leftovers(const std::filesystem::path& folder);

/// Renames `NAME` to `NAME.WHY`, or `NAME.WHY-2` and so on where that is taken.
/// @return the new path
std::filesystem::path keep_aside(const std::filesystem::path& path, std::string_view why);

/// Deletes a folder so that a kill half way leaves a leftover, never a folder that looks whole.
void remove_folder(const std::filesystem::path& folder);

}  // namespace hone::checkpoint
