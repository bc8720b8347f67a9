#include "datasets/file_hashes.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "io/input_file.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Coarser than the clock of any file system that is in use (FAT: 2 s).
constexpr std::int64_t kRestNs = 3'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

json to_json(const FileIdentity& identity) {
  return {identity.device, identity.inode, identity.size_bytes, identity.modified_ns,
          identity.changed_ns};
}

/// Every entry: path → {"identity": […], "sha256": "…"}.
json read_memory(const fs::path& memory) {
  std::error_code ignored;
  if (memory.empty() || !fs::exists(memory, ignored)) return json::object();
  json entries = json::parse(read_file(memory), nullptr, /*allow_exceptions=*/false);
  return entries.is_object() ? entries : json::object();
}

/// Another process may write at the same time; the last one wins, and what is lost is taken anew.
void write_memory(const fs::path& memory, json entries) {
  std::error_code ignored;
  for (auto entry = entries.begin(); entry != entries.end();)
    entry = fs::exists(entry.key(), ignored) ? std::next(entry) : entries.erase(entry);
  try {
    write_file_atomically(memory, entries.dump());
  } catch (const IoError& error) {
    log::verbose("hashes of the data files are not remembered: {}", error.what());
  }
}

}  // namespace

FileIdentity identity_of(const fs::path& file) {
  io::require_file(file, "a file of rows");
  struct stat info {};
  HONE_CHECK(DataError, ::stat(file.c_str(), &info) == 0, "{}: cannot be looked at", file.string());
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size_bytes = info.st_size,
          .modified_ns = nanoseconds(info.st_mtim),
          .changed_ns = nanoseconds(info.st_ctim)};
}

std::int64_t bytes_of(const std::vector<std::string>& files) {
  std::int64_t bytes = 0;
  for (const std::string& file : files) {
    std::error_code code;
    const auto size = fs::file_size(file, code);
    if (!code) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

std::vector<std::string> hash_files(const std::vector<std::string>& files, const fs::path& memory) {
  json entries = read_memory(memory);
  bool has_news = false;
  std::vector<std::string> hashes;
  for (const std::string& file : files) {
    const std::string path = fs::absolute(file).lexically_normal().string();
    const FileIdentity before = identity_of(file);
    const json entry = entries.value(path, json::object());
    if (entry.is_object() && entry.value("identity", json()) == to_json(before) &&
        entry.contains("sha256") && entry["sha256"].is_string()) {
      hashes.push_back(entry["sha256"]);
      continue;
    }
    const std::int64_t begin_ns = now_ns();
    hashes.push_back(sha256_file(file));
    const bool had_rested = begin_ns - std::max(before.modified_ns, before.changed_ns) > kRestNs;
    if (!memory.empty() && had_rested && identity_of(file) == before) {
      entries[path] = {{"identity", to_json(before)}, {"sha256", hashes.back()}};
      has_news = true;
    }
  }
  if (has_news) write_memory(memory, std::move(entries));
  return hashes;
}

}  // namespace hone::datasets
