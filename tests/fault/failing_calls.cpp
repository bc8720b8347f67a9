// A library to be loaded before all others (LD_PRELOAD). It makes one of a program's calls that
// write, flush or rename files fail, as a disk does that is full or breaks: nothing of the program
// knows of it. What steers it stands in the environment:
//
//   HONE_FAIL_UNDER   calls count where their file lies below this folder
//   HONE_FAIL_LOG     gets a line for each of them: what, whether it failed, and the path or paths
//   HONE_FAIL_AT      which of them fails, from 0; without it they are only counted
//   HONE_FAIL_ONWARD  set: so do all that come after it
//
// A write that fails leaves half of its bytes behind.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace {

struct Settings {
  std::string under;
  int log = -1;
  long at = -1;
  bool onward = false;
};

const Settings& settings() {
  static const Settings settings = [] {
    const char* at = std::getenv("HONE_FAIL_AT");
    return Settings{
        std::getenv("HONE_FAIL_UNDER"),
        ::open(std::getenv("HONE_FAIL_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
        at != nullptr ? std::atol(at) : -1, std::getenv("HONE_FAIL_ONWARD") != nullptr};
  }();
  return settings;
}

std::string path_of(int fd) {
  char path[4096];
  const ssize_t size =
      ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return size < 0 ? "" : std::string(path, static_cast<std::size_t>(size));
}

long g_calls = 0;

/// Counts a call and says whether it is to fail. The line is written past this library.
bool fails(const char* what, const std::string& path, const std::string& to = "") {
  const Settings& set = settings();
  if (!path.starts_with(set.under)) return false;
  // Checkpoints are written on a thread of their own: the lines stand in the order of the numbers.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const long number = g_calls++;
  const bool fail = set.at >= 0 && (number == set.at || (set.onward && number > set.at));
  const std::string line =
      std::string(what) + (fail ? " failed " : " done ") + path + " " + to + "\n";
  ::syscall(SYS_write, set.log, line.data(), line.size());
  return fail;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int refuse(int why) {
  errno = why;
  return -1;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* real = next<ssize_t(int, const void*, size_t)>("write");
  if (!fails("write", path_of(fd))) return real(fd, data, size);
  if (real(fd, data, size / 2) < 0) return -1;
  return refuse(ENOSPC);
}

int fsync(int fd) {
  static auto* real = next<int(int)>("fsync");
  return fails("fsync", path_of(fd)) ? refuse(EIO) : real(fd);
}

int rename(const char* from, const char* to) noexcept {
  static auto* real = next<int(const char*, const char*)>("rename");
  return fails("rename", from, to) ? refuse(EIO) : real(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  static auto* real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return fails("rename", from, to) ? refuse(EIO) : real(from_folder, from, to_folder, to, flags);
}

}  // extern "C"
