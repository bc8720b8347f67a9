#include "report/process.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string_view>
#include <thread>

namespace hone::report {
namespace {

/// The value of the first line `key : value` of a file under /proc; empty where there is none.
std::string proc_value(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return {};
}

/// Values are given as "1234 kB".
std::uint64_t kilobytes_as_bytes(const std::string& value) {
  return value.empty() ? 0 : std::stoull(value) * 1024;
}

int usable_cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

ProcessMemory process_memory() {
  return {kilobytes_as_bytes(proc_value("/proc/self/status", "VmRSS")),
          kilobytes_as_bytes(proc_value("/proc/self/status", "VmHWM"))};
}

HostFacts host_facts() {
  HostFacts facts;
  facts.cpu_model = proc_value("/proc/cpuinfo", "model name");
  if (facts.cpu_model.empty()) facts.cpu_model = "unknown";
  facts.cpu_cores = usable_cores();
  facts.memory_bytes = kilobytes_as_bytes(proc_value("/proc/meminfo", "MemTotal"));
  if (utsname names{}; ::uname(&names) == 0)
    facts.system = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  return facts;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace hone::report
