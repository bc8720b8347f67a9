#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/support.h"

namespace hone::test {

/// A SLURM of two nodes on this machine, with keys, ports and folders of its own; sbatch and its
/// kin, started by this process, speak to it. Daemons and jobs end with it, and with this process.
class SlurmCluster {
 public:
  /// Why there can be none here; empty where there can.
  static std::string obstacle();

  SlurmCluster();
  ~SlurmCluster();
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;

  /// What SLURM knows of a job ("JobState", "Restarts", "ExitCode", …); of a task as "12_0".
  std::map<std::string, std::string> job(const std::string& id) const;
  /// Waits until the job has ended or `limit_s` are over. @return its state
  std::string wait_for_end(const std::string& id, int limit_s) const;
  /// What the daemons wrote, for the message of a test that failed.
  std::string logs() const;

 private:
  void write_config() const;
  pid_t start_daemon(const std::vector<std::string>& command);

  TempFolder folder_;
  std::vector<pid_t> daemons_;
};

}  // namespace hone::test
