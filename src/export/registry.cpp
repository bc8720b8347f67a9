#include "export/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/hash.h"
#include "io/json.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTags = "tags.json";

void check_name(const std::string& name, const char* what) {
  const bool is_plain =
      !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
      });
  HONE_CHECK(ConfigError, is_plain, "`{}`: expected as a {} letters, digits, - _ and .", name,
             what);
}

json as_json(const RegistryVersion& version) {
  json files = json::object();
  for (const auto& [name, file] : version.files)
    files[name] = {{"size_bytes", file.size_bytes}, {"sha256", file.sha256}};
  return {{"version", version.number},
          {"added_at", version.added_at},
          {"source", version.source},
          {"files", files},
          {"about", version.about}};
}

RegistryVersion version_from(const fs::path& path) {
  const json document = io::read_json(path);
  try {
    RegistryVersion version{document.at("version").get<std::int64_t>(),
                            document.at("added_at").get<std::string>(),
                            document.at("source").get<std::string>(),
                            {},
                            document.at("about")};
    for (const auto& [name, file] : document.at("files").items())
      version.files[name] = {file.at("size_bytes").get<std::uint64_t>(),
                             file.at("sha256").get<std::string>()};
    return version;
  } catch (const json::exception& error) {
    throw DataError(
        fmt::format("{}: is no version of a registry: {}", path.string(), error.what()));
  }
}

/// The files of a folder with its manifest, which lists all but itself.
std::map<std::string, checkpoint::Manifest::File> files_of(const checkpoint::VerifiedFolder& made) {
  auto files = made.manifest.files;
  const fs::path manifest = made.folder / checkpoint::kManifestName;
  files[checkpoint::kManifestName] = {fs::file_size(manifest), sha256_file(manifest)};
  return files;
}

bool same_files(const RegistryVersion& version,
                const std::map<std::string, checkpoint::Manifest::File>& files) {
  return std::ranges::equal(version.files, files, [](const auto& a, const auto& b) {
    return a.first == b.first && a.second.sha256 == b.second.sha256;
  });
}

/// 0, which no version has, for what is no number.
std::int64_t number_of(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && last == end ? number : 0;
}

}  // namespace

fs::path Registry::object(const std::string& sha256) const {
  return folder_ / "objects" / sha256.substr(0, 2) / sha256;
}

fs::path Registry::folder_of(const std::string& name) const { return folder_ / "models" / name; }

void Registry::store(const fs::path& file, const checkpoint::Manifest::File& content) const {
  const fs::path path = object(content.sha256);
  if (fs::exists(path) && sha256_file(path) == content.sha256) return;
  make_folder(path.parent_path());
  const MappedFile source(file);
  AtomicFile copy(path);
  copy.write(source.data(), source.size_bytes());
  copy.commit();
}

std::int64_t Registry::add(const std::string& name, const fs::path& source,
                           const std::string& added_at) {
  check_name(name, "name");
  const checkpoint::VerifiedFolder made = checkpoint::verify(source);
  const auto files = files_of(made);
  make_folder(folder_of(name) / "versions");
  const FileLock lock = FileLock::take(folder_ / ".lock");
  const RegistryModel before = model(name);
  // Ahead of the look for the same version: that may have a damaged object, which this mends.
  for (const auto& [path, file] : files) store(source / path, file);
  for (const RegistryVersion& version : before.versions)
    if (same_files(version, files)) return version.number;
  const std::int64_t number = before.versions.empty() ? 1 : before.versions.back().number + 1;
  const RegistryVersion version{number, added_at, fs::absolute(source).lexically_normal().string(),
                                files, made.manifest.about};
  // The version comes last: all that it names is there.
  write_file_atomically(folder_of(name) / "versions" / fmt::format("{}.json", number),
                        as_json(version).dump(2) + "\n");
  return number;
}

void Registry::check_tag(const std::string& tag) { check_name(tag, "tag"); }

void Registry::tag(const std::string& name, std::int64_t version, const std::string& tag) {
  check_tag(tag);
  find(fmt::format("{}:{}", name, version));
  const FileLock lock = FileLock::take(folder_ / ".lock");
  json tags = json::object();
  for (const auto& [key, number] : model(name).tags) tags[key] = number;
  tags[tag] = version;
  write_file_atomically(folder_of(name) / kTags, tags.dump(2) + "\n");
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> names;
  if (!fs::is_directory(folder_ / "models")) return names;
  for (const auto& entry : fs::directory_iterator(folder_ / "models"))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

RegistryModel Registry::model(const std::string& name) const {
  check_name(name, "name");
  HONE_CHECK(DataError, fs::is_directory(folder_of(name)), "{}: has no `{}`; it has: {}",
             folder_.string(), name, fmt::join(names(), ", "));
  RegistryModel found{name, {}, {}};
  for (const auto& entry : fs::directory_iterator(folder_of(name) / "versions"))
    if (entry.path().extension() == ".json") found.versions.push_back(version_from(entry.path()));
  std::ranges::sort(found.versions, {}, &RegistryVersion::number);
  if (!fs::exists(folder_of(name) / kTags)) return found;
  const json tags = io::read_json(folder_of(name) / kTags);
  for (const auto& [tag, number] : tags.items()) found.tags[tag] = number.get<std::int64_t>();
  return found;
}

RegistryVersion Registry::find(const std::string& reference) const {
  const std::size_t at = reference.find_first_of("@:");
  const RegistryModel known = model(reference.substr(0, at));
  HONE_CHECK(DataError, !known.versions.empty(), "{}: `{}` has no version yet", folder_.string(),
             known.name);
  if (at == std::string::npos) return known.versions.back();
  const std::string asked = reference.substr(at + 1);
  std::int64_t number = 0;
  if (reference[at] == ':')
    number = number_of(asked);
  else if (const auto tagged = known.tags.find(asked); tagged != known.tags.end())
    number = tagged->second;
  for (const RegistryVersion& version : known.versions)
    if (version.number == number) return version;
  std::vector<std::string> tags;
  for (const auto& [tag, version] : known.tags) tags.push_back(fmt::format("@{}", tag));
  throw DataError(fmt::format("{}: there is no `{}`; it has versions :1 to :{}, and the tags {}",
                              folder_.string(), reference, known.versions.back().number,
                              tags.empty() ? "none" : fmt::format("{}", fmt::join(tags, " "))));
}

void Registry::restore(const RegistryVersion& version, const fs::path& output) const {
  HONE_CHECK(ConfigError, !fs::exists(output) || fs::is_empty(output),
             "--output: {} is there already; choose a folder that is not", output.string());
  for (const auto& [name, file] : version.files) {
    const fs::path from = object(file.sha256);
    HONE_CHECK(CheckpointError, fs::exists(from) && sha256_file(from) == file.sha256,
               "{}: {} of the version is missing or altered; add the folder again", from.string(),
               name);
    // The manifest comes last: a folder that has it is whole.
    if (name == checkpoint::kManifestName) continue;
    make_folder((output / name).parent_path());
    write_file_atomically(output / name, read_file(from));
  }
  const auto& manifest = version.files.at(checkpoint::kManifestName);
  write_file_atomically(output / checkpoint::kManifestName, read_file(object(manifest.sha256)));
}

Registry::Sizes Registry::sizes() const {
  Sizes sizes;
  std::set<std::string> seen;
  for (const std::string& name : names())
    for (const RegistryVersion& version : model(name).versions)
      for (const auto& [path, file] : version.files) {
        sizes.named_bytes += file.size_bytes;
        if (seen.insert(file.sha256).second) sizes.stored_bytes += file.size_bytes;
      }
  return sizes;
}

}  // namespace hone::exporting
