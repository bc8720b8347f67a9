#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::checkpoint {

/// The file of a folder that is written last. Without it the folder is not whole.
inline constexpr const char* kManifestName = "manifest.json";

/// What a folder holds, by path relative to it ("state.json").
struct Manifest {
  struct File {
    std::uint64_t size_bytes = 0;
    std::string sha256;
  };
  using Files = std::map<std::string, File>;
  std::string kind;      ///< what the folder is: "checkpoint", "adapter"
  nlohmann::json about;  ///< whatever its writer wants to be found again
  Files files;
};

/// A folder that `verify` has read in full and found to be what its manifest says.
struct VerifiedFolder {
  std::filesystem::path folder;
  Manifest manifest;
};

/// The files as a manifest has them, and back. @throws nlohmann::json::exception
nlohmann::json to_json(const Manifest::Files& files);
Manifest::Files files_from(const nlohmann::json& document);

/// The manifest as text. It carries its own SHA-256, so that a change anywhere in it shows.
std::string render(const Manifest& manifest);

/// Reads a manifest and checks that it is byte for byte what `render` wrote.
/// @throws CheckpointError where it is missing, not well-formed, altered, or of a newer format
Manifest read_manifest(const std::filesystem::path& folder);

/// Reads every listed file and compares its size and SHA-256. Files that are not listed may be
/// there.
/// @throws CheckpointError that names every problem
VerifiedFolder verify(const std::filesystem::path& folder);

/// A way to do so.
using Verify = std::function<VerifiedFolder(const std::filesystem::path& folder)>;

/// The same work for one of several processes that share it out: what is wrong with every
/// `of`-th file, the largest first, from file `share` on. Together they have read them all.
std::vector<std::string> problems_of_share(const std::filesystem::path& folder,
                                           const Manifest& manifest, int share, int of);
/// @throws CheckpointError that names every problem, where there are any
void refuse_problems(const std::filesystem::path& folder, const std::vector<std::string>& problems);

}  // namespace hone::checkpoint
