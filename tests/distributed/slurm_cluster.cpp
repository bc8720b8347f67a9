#include "distributed/slurm_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace hone::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Where Debian has the daemons, which may not be on a PATH.
constexpr const char* kDaemons[] = {"/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd"};

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return std::string(name.data()).substr(0, std::string(name.data()).find('.'));
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool comes_true(const std::function<bool()>& condition, std::chrono::seconds limit) {
  for (const auto begin = Clock::now(); Clock::now() - begin < limit;
       std::this_thread::sleep_for(200ms))
    if (condition()) return true;
  return false;
}

}  // namespace

std::string SlurmCluster::obstacle() {
  if (::geteuid() != 0) return "SLURM's daemons want root here";
  for (const char* daemon : kDaemons)
    if (::access(daemon, X_OK) != 0)
      return std::string(daemon) +
             " is not installed (tools/setup does): NOTHING OF SLURM IS TESTED";
  return "";
}

SlurmCluster::SlurmCluster() {
  for (const char* name : {"munge", "state", "spool", "log"}) fs::create_directory(folder_ / name);
  fs::permissions(folder_.path(), fs::perms{0755});
  fs::permissions(folder_.write("munge.key", std::string(64, 'k') + host_name()), fs::perms{0600});
  write_config();
  const std::string munge = (folder_ / "munge").string();
  start_daemon({kDaemons[0], "--foreground", "--force",
                "--key-file=" + (folder_ / "munge.key").string(), "--socket=" + munge + "/socket",
                "--pid-file=" + munge + "/pid", "--log-file=" + munge + "/log",
                "--seed-file=" + munge + "/seed"});
  EXPECT_TRUE(comes_true([&] { return fs::exists(munge + "/socket"); }, 10s));
  ::setenv("SLURM_CONF", (folder_ / "slurm.conf").c_str(), 1);
  ::setenv("OMP_NUM_THREADS", "1", 1);
  start_daemon({kDaemons[1], "-D", "-c"});
  for (const char* node : {"n1", "n2"}) start_daemon({kDaemons[2], "-D", "-N", node});
  const auto is_up = [] {
    return run_program({"sinfo", "--noheader", "--states=idle", "--format=%D"})
        .out.starts_with("2");
  };
  EXPECT_TRUE(comes_true(is_up, 30s)) << logs();
}

SlurmCluster::~SlurmCluster() {
  run_program({"scancel", "--user=root"});
  run_program({"scancel", "--signal=KILL", "--user=root"});
  comes_true([] { return run_program({"squeue", "--noheader"}).out.empty(); }, 20s);
  for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) {
    ::kill(*daemon, SIGTERM);
    if (!comes_true([&] { return ::waitpid(*daemon, nullptr, WNOHANG) == *daemon; }, 5s)) {
      ::kill(*daemon, SIGKILL);
      ::waitpid(*daemon, nullptr, 0);
    }
  }
  ::unsetenv("SLURM_CONF");
}

void SlurmCluster::write_config() const {
  const std::string root = folder_.path().string(), host = host_name();
  const int port = 21000 + ::getpid() % 2000 * 4;
  // A job that is requeued waits until the credentials of its last start have expired.
  folder_.write("slurm.conf",
                fmt::format(R"(ClusterName=test
SlurmctldHost={1}(127.0.0.1)
SlurmUser=root
SlurmctldPort={2}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={0}/munge/socket,cred_expire=5
StateSaveLocation={0}/state
SlurmdSpoolDir={0}/spool/%n
SlurmctldPidFile={0}/slurmctld.pid
SlurmdPidFile={0}/slurmd.%n.pid
SlurmctldLogFile={0}/log/slurmctld
SlurmdLogFile={0}/log/slurmd.%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
FirstJobId={3}
NodeName=n[1-2] NodeHostname={1} NodeAddr=127.0.0.1 Port={4}-{5} CPUs=4 RealMemory=500 State=UNKNOWN
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
)",
                            root, host, port, 1000 + ::getpid() % 9000, port + 1, port + 2));
}

pid_t SlurmCluster::start_daemon(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string log = (folder_ / "log/daemons").string();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  daemons_.push_back(child);
  return child;
}

std::map<std::string, std::string> SlurmCluster::job(const std::string& id) const {
  std::map<std::string, std::string> known;
  std::istringstream words(run_program({"scontrol", "--oneliner", "show", "job", id}).out);
  for (std::string word; words >> word;)
    if (const std::size_t equals = word.find('='); equals != std::string::npos)
      known[word.substr(0, equals)] = word.substr(equals + 1);
  return known;
}

std::string SlurmCluster::wait_for_end(const std::string& id, int limit_s) const {
  const std::set<std::string> going_on = {"", "PENDING", "RUNNING", "COMPLETING", "REQUEUED"};
  std::string state;
  comes_true(
      [&] {
        state = job(id)["JobState"];
        return !going_on.contains(state);
      },
      std::chrono::seconds(limit_s));
  return state;
}

std::string SlurmCluster::logs() const {
  std::string all;
  for (const auto& entry : fs::directory_iterator(folder_ / "log"))
    all += fmt::format("--- {}\n{}", entry.path().filename().string(), text_of(entry.path()));
  return all;
}

}  // namespace hone::test
