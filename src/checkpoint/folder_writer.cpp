#include "checkpoint/folder_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "checkpoint/manifest.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".tmp";  // being written or being deleted
constexpr std::string_view kReplaced = ".old";    // whole, until its replacement is in place
static_assert(kUnfinished.size() == kReplaced.size());

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// `a/step-5` gives `a/.step-5.1234.tmp`.
fs::path hidden_name(const fs::path& path, std::string_view suffix) {
  return folder_of(path) / fmt::format(".{}.{}{}", path.filename().string(), ::getpid(), suffix);
}

struct Leftover {
  std::string name;
  pid_t pid;
  bool is_replaced;
};

/// The inverse of `hidden_name`.
std::optional<Leftover> parse_hidden_name(std::string_view name) {
  const bool is_replaced = name.ends_with(kReplaced);
  if (!name.starts_with('.') || !(is_replaced || name.ends_with(kUnfinished))) return std::nullopt;
  name.remove_prefix(1);
  name.remove_suffix(kReplaced.size());
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  const std::string_view digits = name.substr(dot + 1);
  pid_t pid = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (code != std::errc() || end != digits.data() + digits.size() || pid <= 0) return std::nullopt;
  return Leftover{std::string(name.substr(0, dot)), pid, is_replaced};
}

bool belongs_to_another_process(pid_t pid) {
  return pid != ::getpid() && (::kill(pid, 0) == 0 || errno != ESRCH);
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  HONE_CHECK(IoError, ::rename(from.c_str(), to.c_str()) == 0, "{}: cannot be renamed to {}: {}",
             from.string(), to.string(), std::strerror(errno));
}

void remove_all_or_throw(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  HONE_CHECK(IoError, !code, "{}: cannot be deleted: {}", path.string(), code.message());
}

void sync_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  HONE_CHECK(IoError, synced, "{}: could not be flushed to the disk: {}", path.string(),
             std::strerror(why));
}

/// Flushes everything below the folder and lists its files with their sizes and hashes.
/// @param others those that this has been done for
Manifest::Files flush_files(const fs::path& folder, const Manifest::Files& others) {
  Manifest::Files files = others;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory() && !entry.is_symlink()) {
      sync_folder(entry.path());
      continue;
    }
    HONE_CHECK(IoError, entry.is_regular_file() && !entry.is_symlink(),
               "{}: is neither a regular file nor a folder", entry.path().string());
    const std::string name = entry.path().lexically_relative(folder).generic_string();
    if (!others.contains(name)) files[name] = flush_file(entry.path());
  }
  for (const auto& [name, file] : others) {
    std::error_code code;
    HONE_CHECK(IoError, fs::file_size(folder / name, code) == file.size_bytes && !code,
               "{}: another process has written it with {} bytes, and here it is not there so: is "
               "the folder on a disk that all processes share?",
               (folder / name).string(), file.size_bytes);
  }
  return files;
}

/// Swaps the two in one instant. @return false where the file system cannot (NFS, vfat)
bool exchange(const fs::path& a, const fs::path& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  HONE_CHECK(IoError, errno == EINVAL || errno == ENOSYS || errno == ENOTSUP,
             "{}: could not take its place: {}", b.string(), std::strerror(errno));
  return false;
}

}  // namespace

Manifest::File flush_file(const fs::path& path) {
  sync_file(path);
  return {fs::file_size(path), sha256_file(path)};
}

FolderWriter::FolderWriter(fs::path destination)
    : destination_(std::move(destination)), temporary_(hidden_name(destination_, kUnfinished)) {
  const fs::path parent = folder_of(destination_);
  if (!fs::exists(parent)) {
    make_folder(parent);
    sync_folder(folder_of(parent));
  }
  remove_all_or_throw(temporary_);
  make_folder(temporary_);
}

FolderWriter::~FolderWriter() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void FolderWriter::write(const std::string& name, std::string_view content) const {
  write_file_atomically(temporary_ / name, content);
}

void FolderWriter::commit(const std::string& kind, const nlohmann::json& about,
                          const Manifest::Files& others) {
  write(kManifestName, render({kind, about, flush_files(temporary_, others)}));
  put_in_place();
}

void FolderWriter::put_in_place() {
  const fs::path parent = folder_of(destination_);
  const bool replaces = fs::exists(destination_ / kManifestName);
  const bool is_free =
      !fs::exists(destination_) || (fs::is_directory(destination_) && fs::is_empty(destination_));
  if (!replaces && !is_free) {
    const fs::path aside = keep_aside(destination_, "replaced");
    log::warn("{}: had no {}, so it was kept as {}", destination_.string(), kManifestName,
              aside.string());
  }
  if (replaces && exchange(temporary_, destination_)) {
    sync_folder(parent);  // the destructor removes the old one, which is now the temporary
    return;
  }
  const fs::path old = hidden_name(destination_, kReplaced);
  if (replaces) rename_or_throw(destination_, old);
  if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    if (replaces) rename_or_throw(old, destination_);
    throw IoError(fmt::format("{}: could not take its place: {}", destination_.string(), why));
  }
  sync_folder(parent);
  if (replaces) remove_all_or_throw(old);
}

int clean_leftovers(const fs::path& folder) {
  if (!fs::is_directory(folder)) return 0;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  int count = 0;
  for (const fs::path& path : entries) {
    const auto leftover = parse_hidden_name(path.filename().string());
    if (!leftover || belongs_to_another_process(leftover->pid)) continue;
    const fs::path destination = folder / leftover->name;
    if (leftover->is_replaced && !fs::exists(destination)) {
      rename_or_throw(path, destination);
    } else {
      remove_all_or_throw(path);
    }
    ++count;
  }
  return count;
}

fs::path keep_aside(const fs::path& path, std::string_view why) {
  fs::path aside = fmt::format("{}.{}", path.string(), why);
  for (int n = 2; fs::exists(fs::symlink_status(aside)); ++n)
    aside = fmt::format("{}.{}-{}", path.string(), why, n);
  rename_or_throw(path, aside);
  return aside;
}

void remove_folder(const fs::path& folder) {
  const fs::path hidden = hidden_name(folder, kUnfinished);
  remove_all_or_throw(hidden);
  rename_or_throw(folder, hidden);
  sync_folder(folder_of(folder));  // the name is gone on the disk before any content is
  remove_all_or_throw(hidden);
}

}  // namespace hone::checkpoint
