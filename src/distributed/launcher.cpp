#include "distributed/launcher.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/interrupt.h"
#include "base/log.h"

namespace hone::distributed {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// What the others get to notice that one has failed, before they are ended.
constexpr auto kGrace = 7s;
constexpr int kPoll_ms = 100;
/// What the ranks of other machines get to notice it: a new rank must not meet an old one.
constexpr auto kPause = 12s;

/// Writes the whole lines that come out of a pipe to `to`, each behind its writer's rank.
class LinePipe {
 public:
  LinePipe(int rank, std::FILE* to) : prefix_(fmt::format("[{}] ", rank)), to_(to) {
    HONE_CHECK(IoError, ::pipe2(ends_, O_CLOEXEC) == 0, "no pipe for the output of rank {}: {}",
               rank, std::strerror(errno));
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~LinePipe() {
    pass_on(true);
    ::close(ends_[0]);
    close_write_end();
  }
  LinePipe(const LinePipe&) = delete;
  LinePipe& operator=(const LinePipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_write_end() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

  /// @param all the end of a line that has none as well
  /// @return false once the other end is closed
  bool pass_on(bool all = false) {
    char buffer[1 << 14];
    ssize_t size = 0;
    while ((size = ::read(ends_[0], buffer, sizeof buffer)) > 0)
      pending_.append(buffer, static_cast<std::size_t>(size));
    const bool is_open = size < 0 && (errno == EAGAIN || errno == EINTR);
    std::string text;
    std::size_t begin = 0;
    for (std::size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1)
      text += prefix_ + pending_.substr(begin, end + 1 - begin);
    pending_.erase(0, begin);
    if (all && !pending_.empty()) text += prefix_ + std::exchange(pending_, "") + "\n";
    std::fwrite(text.data(), 1, text.size(), to_);
    std::fflush(to_);
    return is_open;
  }

 private:
  std::string prefix_;
  std::FILE* to_;
  int ends_[2] = {-1, -1};
  std::string pending_;
};

struct Child {
  explicit Child(int its_rank) : rank(its_rank), out(rank, stdout), err(rank, stderr) {}

  int rank;
  LinePipe out, err;
  pid_t pid = -1;
  std::optional<int> status;  ///< waitpid's, once it has ended

  bool ended_with(ExitCode code) const {
    return status && WIFEXITED(*status) && WEXITSTATUS(*status) == static_cast<int>(code);
  }
  bool has_failed() const {
    return status && !ended_with(ExitCode::kDone) && !ended_with(ExitCode::kRunAgain);
  }
  std::string end_text() const {
    if (WIFSIGNALED(*status))
      return fmt::format("rank {} was ended by signal {} ({})", rank, WTERMSIG(*status),
                         ::strsignal(WTERMSIG(*status)));
    return fmt::format("rank {} failed with exit code {}", rank, WEXITSTATUS(*status));
  }
};

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

/// A port that nobody listens on. Between this and its use another program could take it; then the
/// ranks say so.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      fd >= 0 && ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
  if (fd >= 0) ::close(fd);
  HONE_CHECK(IoError, found, "no free port was found: {}. Name one with --master HOST:PORT",
             std::strerror(errno));
  return ntohs(address.sin_port);
}

/// This process's environment, with what a rank needs to know.
std::vector<std::string> environment_of(const LaunchPlan& plan, int local_rank, int port) {
  std::vector<std::pair<std::string, std::string>> own = {
      {"RANK", std::to_string(plan.node_rank * plan.nproc + local_rank)},
      {"WORLD_SIZE", std::to_string(plan.nnodes * plan.nproc)},
      {"LOCAL_RANK", std::to_string(local_rank)},
      {"LOCAL_WORLD_SIZE", std::to_string(plan.nproc)},
      {"GROUP_RANK", std::to_string(plan.node_rank)},
      {"MASTER_ADDR", plan.master_addr.empty() ? "127.0.0.1" : plan.master_addr},
      {"MASTER_PORT", std::to_string(port)}};
  // Processes that each took all cores would be in each other's way.
  if (std::getenv("OMP_NUM_THREADS") == nullptr)
    own.emplace_back("OMP_NUM_THREADS", std::to_string(std::max(1, usable_cores() / plan.nproc)));
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::none_of(own, [&](const auto& one) { return one.first == name; }))
      all.emplace_back(text);
  }
  for (const auto& [name, value] : own) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Runs in the new process, where nothing may be allocated.
[[noreturn]] void become(const Child& child, pid_t launcher, char* const* arguments,
                         char* const* environment) {
  ::setpgid(0, 0);  // a key pressed for the launcher reaches it through the launcher alone
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != launcher) ::_exit(1);  // it died before that took hold
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) ::signal(signal, SIG_DFL);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(child.out.write_end(), STDOUT_FILENO);
  ::dup2(child.err.write_end(), STDERR_FILENO);
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

/// One attempt: its processes, from their start to the last one's end.
class Crew {
 public:
  Crew(const LaunchPlan& plan, const std::vector<std::string>& arguments, int port) {
    for (int local_rank = 0; local_rank < plan.nproc; ++local_rank) {
      Child& child = children_.emplace_back(plan.node_rank * plan.nproc + local_rank);
      std::vector<std::string> command = {"hone"};
      command.insert(command.end(), arguments.begin(), arguments.end());
      std::vector<std::string> environment = environment_of(plan, local_rank, port);
      const std::vector<char*> argv = pointers_to(command), envp = pointers_to(environment);
      const pid_t launcher = ::getpid();
      child.pid = ::fork();
      if (child.pid == 0) become(child, launcher, argv.data(), envp.data());
      HONE_CHECK(IoError, child.pid > 0, "rank {} cannot be started: {}", child.rank,
                 std::strerror(errno));
      child.out.close_write_end();
      child.err.close_write_end();
    }
  }
  /// Nobody is left behind.
  ~Crew() {
    for (Child& child : children_) {
      if (child.pid <= 0 || child.status) continue;
      ::kill(child.pid, SIGKILL);
      ::waitpid(child.pid, nullptr, 0);
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Until all have ended. @return the first that failed; null where none did
  const Child* wait() {
    while (std::ranges::any_of(children_, [](const Child& child) { return !child.status; })) {
      pass_on_output();
      reap();
      forward_signal();
      if (first_failed_ != nullptr && Clock::now() - failed_at_ > kGrace) end_all();
    }
    pass_on_output();
    return first_failed_;
  }

  bool was_saved() const {
    return std::ranges::any_of(
        children_, [](const Child& child) { return child.ended_with(ExitCode::kRunAgain); });
  }

 private:
  void pass_on_output() {
    std::vector<pollfd> files;
    for (const Child& child : children_)
      if (!child.status)
        for (const LinePipe* pipe : {&child.out, &child.err})
          files.push_back({pipe->read_end(), POLLIN, 0});
    ::poll(files.data(), files.size(), kPoll_ms);
    bool is_open = false;
    for (Child& child : children_)
      for (LinePipe* pipe : {&child.out, &child.err}) is_open |= pipe->pass_on();
    // One that has closed its output and lives on would make poll return at once.
    if (!is_open) std::this_thread::sleep_for(std::chrono::milliseconds(kPoll_ms));
  }

  void reap() {
    for (Child& child : children_) {
      int status = 0;
      if (child.status || ::waitpid(child.pid, &status, WNOHANG) != child.pid) continue;
      child.status = status;
      if (!child.has_failed() || first_failed_ != nullptr) continue;
      first_failed_ = &child;
      failed_at_ = Clock::now();
      pass_on_output();
      log::error(child.end_text() + "; the others are ended");
    }
  }

  void forward_signal() {
    const int signal = interrupt_requested();
    if (signal == 0 || has_forwarded_) return;
    has_forwarded_ = true;
    for (const Child& child : children_)
      if (!child.status) ::kill(child.pid, signal);
  }

  void end_all() {
    for (const Child& child : children_)
      if (!child.status) ::kill(child.pid, SIGKILL);
  }

  std::deque<Child> children_;
  const Child* first_failed_ = nullptr;
  Clock::time_point failed_at_;
  bool has_forwarded_ = false;
};

/// The arguments of a restart: from the newest checkpoint, wherever the first start went on from.
std::vector<std::string> resumed(const std::vector<std::string>& arguments) {
  std::vector<std::string> again;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--resume")
      ++i;  // its value goes with it
    else if (!arguments[i].starts_with("--resume="))
      again.push_back(arguments[i]);
  }
  again.insert(again.end(), {"--resume", "auto"});
  return again;
}

/// Ends early where a signal comes.
void wait_for_other_machines() {
  for (const auto begin = Clock::now();
       Clock::now() - begin < kPause && interrupt_requested() == 0;)
    std::this_thread::sleep_for(std::chrono::milliseconds(kPoll_ms));
}

}  // namespace

ExitCode launch(const LaunchPlan& plan) {
  std::vector<std::string> arguments = plan.arguments;
  for (int restarts = 0;; ++restarts) {
    Crew crew(plan, arguments, plan.master_port > 0 ? plan.master_port : free_port());
    const Child* failed = crew.wait();
    if (failed == nullptr) return crew.was_saved() ? ExitCode::kRunAgain : ExitCode::kDone;
    const bool wants_again = !failed->ended_with(ExitCode::kWrongInput) &&
                             restarts < plan.max_restarts && interrupt_requested() == 0;
    if (!wants_again)
      return failed->ended_with(ExitCode::kWrongInput) ? ExitCode::kWrongInput : ExitCode::kFailed;
    log::warn("{}; restart {} of {}, from the last checkpoint", failed->end_text(), restarts + 1,
              plan.max_restarts);
    if (plan.nnodes > 1) wait_for_other_machines();
    arguments = resumed(plan.arguments);
  }
}

}  // namespace hone::distributed
