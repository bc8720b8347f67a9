#pragma once

#include <cstdint>
#include <string>

namespace hone::report {

/// What the operating system holds in memory for this process.
struct ProcessMemory {
  std::uint64_t current_bytes = 0;  ///< resident now (VmRSS)
  std::uint64_t peak_bytes = 0;     ///< most ever resident (VmHWM)
};

/// From /proc/self/status; zeros where the system does not tell.
ProcessMemory process_memory();

/// The machine that a number was measured on.
struct HostFacts {
  std::string cpu_model;  ///< "unknown" where the system does not tell
  int cpu_cores = 0;      ///< usable by this process
  std::uint64_t memory_bytes = 0;
  std::string system;  ///< kernel name, release and architecture
};

HostFacts host_facts();

/// The time now as ISO 8601 in UTC: "2025-11-21T07:34:05Z".
std::string utc_now();

}  // namespace hone::report
