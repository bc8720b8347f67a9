#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace hone::exporting {

/// A folder that was put into a registry: its files by content, so that what two versions share is
/// there once.
struct RegistryVersion {
  std::int64_t number = 0;                                  ///< from 1
  std::string added_at;                                     ///< ISO 8601, UTC
  std::string source;                                       ///< the folder, absolute
  std::map<std::string, checkpoint::Manifest::File> files;  ///< by path; the manifest itself too
  nlohmann::json about;                                     ///< what the folder's manifest says
};

/// What of a name is in a registry.
struct RegistryModel {
  std::string name;
  std::vector<RegistryVersion> versions;     ///< rising
  std::map<std::string, std::int64_t> tags;  ///< "prod" → 3
};

/// A folder of exports, adapters and models by name, version and tag:
///
///     objects/3f/3fa9…            a file's content under its SHA-256
///     models/NAME/versions/1.json
///     models/NAME/tags.json
///
/// Processes on one machine may write at the same time.
class Registry {
 public:
  explicit Registry(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Puts in a folder that hone wrote, after reading every file of it. The same content again gives
  /// the version that has it, and mends what of it was damaged here.
  /// @return its number
  /// @throws CheckpointError where the folder is not what its manifest says
  /// @throws ConfigError for a name that is none (letters, digits, `-`, `_`, `.`)
  std::int64_t add(const std::string& name, const std::filesystem::path& source,
                   const std::string& added_at);

  /// @throws ConfigError for a tag that is none, as for a name
  static void check_tag(const std::string& tag);
  /// Gives a version a tag; another one that has it loses it. @throws DataError
  void tag(const std::string& name, std::int64_t version, const std::string& tag);

  /// Names, sorted.
  std::vector<std::string> names() const;
  /// @throws DataError where there is no such name
  RegistryModel model(const std::string& name) const;

  /// "extract", "extract@prod", "extract:3"; a name alone is its newest version.
  /// @throws DataError naming what there is
  RegistryVersion find(const std::string& reference) const;

  /// Writes a version's folder again, each file checked against its hash. @throws CheckpointError
  void restore(const RegistryVersion& version, const std::filesystem::path& output) const;

  /// Bytes of all versions' files, and of the objects that hold them.
  struct Sizes {
    std::uint64_t named_bytes = 0, stored_bytes = 0;
  };
  Sizes sizes() const;

 private:
  std::filesystem::path object(const std::string& sha256) const;
  std::filesystem::path folder_of(const std::string& name) const;
  void store(const std::filesystem::path& file, const checkpoint::Manifest::File& content) const;

  std::filesystem::path folder_;
};

}  // namespace hone::exporting
