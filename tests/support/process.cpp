#include "support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "support/support.h"

namespace hone::test {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Output goes to files: a pipe would have to be drained while the program runs.
pid_t start(const std::vector<std::string>& command, const TempFolder& folder,
            const std::string& input = "/dev/null") {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  const auto redirect = [](const char* path, int flags, int to) {
    dup2(open(path, flags, 0600), to);
  };
  redirect(input.c_str(), O_RDONLY, STDIN_FILENO);
  redirect((folder / "out").c_str(), O_WRONLY | O_CREAT, STDOUT_FILENO);
  redirect((folder / "err").c_str(), O_WRONLY | O_CREAT, STDERR_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Finished wait_for(pid_t child, const TempFolder& folder) {
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return {code, slurp(folder / "out"), slurp(folder / "err")};
}

std::vector<std::string> with_hone(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{HONE_BINARY};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace

std::string hone_binary() { return HONE_BINARY; }

Finished run_program(const std::vector<std::string>& command) {
  const TempFolder folder;
  return wait_for(start(command, folder), folder);
}

Finished run_hone(const std::vector<std::string>& arguments) {
  return run_program(with_hone(arguments));
}

Finished run_hone_with_input(const std::vector<std::string>& arguments, const std::string& input) {
  const TempFolder folder;
  return wait_for(start(with_hone(arguments), folder, folder.write("in", input).string()), folder);
}

Finished run_hone_and_signal(const std::vector<std::string>& arguments,
                             const std::function<bool()>& ready, int signal) {
  const TempFolder folder;
  const pid_t child = start(with_hone(arguments), folder);
  siginfo_t ended{};
  while (!ready()) {
    // WNOWAIT leaves the ended child to wait_for.
    if (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) != 0) break;
    if (ended.si_pid == child) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, signal);
  return wait_for(child, folder);
}

}  // namespace hone::test
