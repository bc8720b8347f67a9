#include "fault/child.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace hone::test {
namespace {

void require(bool worked, const char* what) {
  if (!worked) throw std::system_error(errno, std::generic_category(), what);
}

[[noreturn]] void run_and_end(const std::function<void()>& body) {
  int code = 0;
  try {
    body();
    code = testing::Test::HasFailure() ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a child of the test threw: %s\n", error.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

pid_t start_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  require(pid >= 0, "fork");
  if (pid == 0) run_and_end(body);
  return pid;
}

int wait_for(pid_t child) {
  int status = 0;
  require(::waitpid(child, &status, 0) == child, "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool kill_before_system_call(int n, const std::function<void()>& body) {
  const pid_t child = start_child([&] {
    require(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0, "ptrace");
    ::raise(SIGSTOP);
    body();
  });
  int status = 0;
  require(::waitpid(child, &status, 0) == child, "waitpid");
  if (!WIFSTOPPED(status)) throw std::runtime_error("the child cannot be traced");
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
  for (int stops = 0; stops <= 2 * n; ++stops) {  // one stop before each call, one after
    require(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0, "ptrace");
    require(::waitpid(child, &status, 0) == child, "waitpid");
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      return false;
    }
  }
  ::kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child), -SIGKILL);
  return true;
}

void refuse_exchange() {
  const auto offset = [](std::size_t at) { return static_cast<__u32>(at); };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset(offsetof(seccomp_data, args[4]))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RENAME_EXCHANGE, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {std::size(code), code};
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

std::filesystem::path folder_in_memory() {
  const bool there = ::access("/dev/shm", W_OK | X_OK) == 0;
  return there ? "/dev/shm" : std::filesystem::temp_directory_path();
}

}  // namespace hone::test
