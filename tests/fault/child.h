#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>

namespace hone::test {

/// Exit code of a child that could not do what it was for; `run_child` turns it into a skip.
inline constexpr int kSkipped = 77;

/// Runs `body` in a forked child until it ends or is killed. An exception or a failed expectation
/// in it makes the exit code 1.
pid_t start_child(const std::function<void()>& body);

/// Waits for a child. @return its exit code, or minus the signal that ended it
int wait_for(pid_t child);

/// Runs `body` in a child and ends it with SIGKILL when it is about to make its n-th system call
/// (from 0). @return false where it ended by itself before; throws where tracing is not allowed
bool kill_before_system_call(int n, const std::function<void()>& body);

/// From here on this process has no RENAME_EXCHANGE, as on NFS: it fails with EINVAL.
void refuse_exchange();

/// A folder for temporary files in memory where there is one: many saves take no time there, and a
/// killed process leaves the same behind as on a disk.
std::filesystem::path folder_in_memory();

}  // namespace hone::test
