#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace hone::log {
namespace {

std::atomic<Level> g_level{Level::kNormal};
std::mutex g_mutex;  // guards stderr and g_status
std::string g_status;

constexpr std::string_view kClearLine = "\r\x1b[2K";

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

void set_level(Level level) { g_level = level; }
Level level() { return g_level; }

bool is_interactive() {
  static const bool interactive = [] {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  }();
  return interactive;
}

void write_line(std::string_view prefix, std::string_view text) {
  const std::lock_guard lock(g_mutex);
  if (!g_status.empty()) put(kClearLine);
  std::string line;
  line.append(prefix).append(text).append("\n");
  put(line);
  if (!g_status.empty()) put(g_status);
  std::fflush(stderr);
}

void error(std::string_view text) { write_line("error: ", text); }

void set_status_line(std::string_view text) {
  if (!is_interactive()) return;
  const std::lock_guard lock(g_mutex);
  if (!g_status.empty() || !text.empty()) put(kClearLine);
  g_status = text;
  put(g_status);
  std::fflush(stderr);
}

}  // namespace hone::log
