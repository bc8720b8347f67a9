#include "distributed/sbatch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "distributed/batch_job.h"

namespace hone::distributed {
namespace {

struct Remedy {
  std::string_view complaint;  ///< a part of what sbatch says
  std::string_view remedy;
};

/// The first that is found counts.
constexpr Remedy kRemedies[] = {
    {"nvalid partition", "`sinfo` lists the partitions; name one with --partition"},
    {"nvalid account",
     "`sacctmgr show assoc user=$USER format=account,partition,qos` lists what you may use; name "
     "an "
     "account with --account"},
    {"nvalid qos", "`sacctmgr show assoc user=$USER format=account,qos` lists yours; give --qos"},
    {"nvalid generic resource",
     "`sinfo -o '%P %G'` lists the GPUs of each partition; change --gpus-per-node or --partition"},
    {"Memory specification",
     "`sinfo -o '%P %m'` lists each partition's memory a node, in MB; lower --mem"},
    {"More processors requested",
     "`sinfo -o '%P %D %c'` lists each partition's nodes and cores; lower --nodes, "
     "--ntasks-per-node "
     "or --cpus-per-task"},
    {"node configuration is not available",
     "`sinfo -o '%P %D %c %m %G'` lists each partition's nodes, cores, memory and GPUs; ask for "
     "less, "
     "or for another --partition"},
    {"Node count specification",
     "`sinfo -o '%P %D'` lists the nodes of each partition; lower --nodes"},
    {"time limit",
     "`sinfo -o '%P %l'` lists the limits; lower --time: the job goes back into the "
     "queue and on from there"},
    {"--time", "--time is MINUTES, HOURS:MINUTES:SECONDS or DAYS-HOURS"},
    {"ependency", "--dependency is TYPE:JOB, as afterok:1234, of a job that SLURM still knows"},
    {"QOSMax",
     "a limit of the QOS was met: `sacctmgr show qos`; wait for your other jobs, or ask for "
     "less"},
    {"policy",
     "a limit of your account or QOS was met: `sacctmgr show assoc user=$USER`; wait for "
     "your other jobs, or ask for less"},
    {"contact slurm controller",
     "`scontrol ping` tells whether the controller is up; try again later"},
    {"Unable to process configuration",
     "this machine has no slurm.conf that sbatch can read: submit from a login node, or set "
     "SLURM_CONF"},
};

/// What a command says on either stream, and its exit code.
int run_command(const std::string& command, std::string& said) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  HONE_CHECK(IoError, pipe != nullptr, "a shell could not be started for `{}`", command);
  char buffer[4096];
  for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    said.append(buffer, size);
  const int status = ::pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/// The number in sbatch's last line: --parsable writes "JOB" or "JOB;CLUSTER". What comes before is
/// for the user.
std::string job_of(std::string said) {
  while (!said.empty() && said.back() == '\n') said.pop_back();
  const std::size_t begin = said.rfind('\n') + 1;  // npos + 1 is 0
  const std::string job = said.substr(begin, said.find(';', begin) - begin);
  const bool is_number = !job.empty() && job.find_first_not_of("0123456789") == std::string::npos;
  HONE_CHECK(DistributedError, is_number, "sbatch said `{}`, expected a job's number", said);
  if (begin > 0) log::info("{}", said.substr(0, begin - 1));
  return job;
}

}  // namespace

bool has_sbatch() {
  const char* value = std::getenv("PATH");
  std::string_view path = value != nullptr ? value : "";
  while (!path.empty()) {
    const std::string_view folder = path.substr(0, path.find(':'));
    if (::access((std::string(folder) + "/sbatch").c_str(), X_OK) == 0) return true;
    path.remove_prefix(folder.size() < path.size() ? folder.size() + 1 : path.size());
  }
  return false;
}

std::string remedy_for(const std::string& complaint) {
  for (const Remedy& remedy : kRemedies)
    if (complaint.find(remedy.complaint) != std::string::npos) return std::string(remedy.remedy);
  return "";
}

std::string submit_script(const std::filesystem::path& script) {
  std::string said;
  const int code = run_command("sbatch --parsable " + shell_quoted(script.string()), said);
  if (code == 0) return job_of(said);
  const std::string remedy = remedy_for(said);
  throw DistributedError(fmt::format("sbatch took no job (exit code {}):\n{}{}", code, said,
                                     remedy.empty() ? "The script is " + script.string() : remedy));
}

}  // namespace hone::distributed
