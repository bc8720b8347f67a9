#include "checkpoint/manifest.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr const char* kRemedy =
    "Use another checkpoint (--resume auto takes the newest valid one), or copy this one again "
    "from "
    "where it came from";

json document_of(const Manifest& manifest) {
  return {{"format", "hone-folder"},
          {"version", kFormatVersion},
          {"kind", manifest.kind},
          {"about", manifest.about},
          {"files", to_json(manifest.files)}};
}

void check_version(const json& document, const fs::path& path) {
  const int version = document.at("version").get<int>();
  HONE_CHECK(CheckpointError, version == kFormatVersion,
             "{}: is of format version {}, this hone reads version {}. Use the hone that wrote it",
             path.string(), version, kFormatVersion);
}

/// What is wrong with one listed file, if anything. Sizes are compared first: they cost nothing.
std::optional<std::string> problem_of(const fs::path& folder, const std::string& name,
                                      const Manifest::File& expected) try {
  const fs::path path = folder / name;
  if (fs::path(name).is_absolute() || *fs::path(name).lexically_normal().begin() == "..")
    return fmt::format("{}: lies outside the folder", name);
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) return fmt::format("{}: {}", name, code.message());
  if (size != expected.size_bytes)
    return fmt::format("{}: has {} bytes, expected {}", name, size, expected.size_bytes);
  if (const std::string found = sha256_file(path); found != expected.sha256)
    return fmt::format("{}: its SHA-256 is {}, expected {}", name, found, expected.sha256);
  return std::nullopt;
} catch (const IoError& error) {
  return error.what();
}

}  // namespace

json to_json(const Manifest::Files& files) {
  json document = json::object();
  for (const auto& [name, file] : files)
    document[name] = {{"size_bytes", file.size_bytes}, {"sha256", file.sha256}};
  return document;
}

Manifest::Files files_from(const json& document) {
  Manifest::Files files;
  for (const auto& [name, file] : document.items())
    files[name] = {file.at("size_bytes").get<std::uint64_t>(),
                   file.at("sha256").get<std::string>()};
  return files;
}

std::string render(const Manifest& manifest) {
  json document = document_of(manifest);
  document["sha256"] = sha256_hex(document.dump());
  return document.dump(2) + "\n";
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestName;
  HONE_CHECK(CheckpointError, fs::exists(path),
             "{}: is missing, so the folder was never completed or has lost files. {}",
             path.string(), kRemedy);
  const std::string text = read_file(path);
  Manifest manifest;
  try {
    const json document = json::parse(text);
    check_version(document, path);
    manifest = {document.at("kind").get<std::string>(), document.at("about"),
                files_from(document.at("files"))};
  } catch (const json::exception& error) {
    throw CheckpointError(
        fmt::format("{}: is not a manifest: {}. {}", path.string(), error.what(), kRemedy));
  }
  HONE_CHECK(CheckpointError, render(manifest) == text,
             "{}: has been altered: it is not what its own SHA-256 says. {}", path.string(),
             kRemedy);
  return manifest;
}

std::vector<std::string> problems_of_share(const fs::path& folder, const Manifest& manifest,
                                           int share, int of) {
  using Entry = std::pair<const std::string, Manifest::File>;
  std::vector<const Entry*> entries;
  for (const Entry& entry : manifest.files) entries.push_back(&entry);
  std::ranges::stable_sort(entries, std::ranges::greater(),
                           [](const Entry* entry) { return entry->second.size_bytes; });
  std::vector<std::string> problems;
  for (auto i = static_cast<std::size_t>(share); i < entries.size();
       i += static_cast<std::size_t>(of))
    if (auto problem = problem_of(folder, entries[i]->first, entries[i]->second))
      problems.push_back(std::move(*problem));
  return problems;
}

void refuse_problems(const fs::path& folder, const std::vector<std::string>& problems) {
  HONE_CHECK(CheckpointError, problems.empty(), "{}: is not what its {} says: {}. {}",
             folder.string(), kManifestName, fmt::join(problems, "; "), kRemedy);
}

VerifiedFolder verify(const fs::path& folder) {
  VerifiedFolder verified{folder, read_manifest(folder)};
  refuse_problems(folder, problems_of_share(folder, verified.manifest, 0, 1));
  return verified;
}

}  // namespace hone::checkpoint
