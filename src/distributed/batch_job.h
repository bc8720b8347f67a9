#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::distributed {

/// What a batch job asks SLURM for, and what it runs. An empty text or a 0 leaves it to the
/// cluster.
struct BatchJob {
  std::string name;
  int nodes = 1, ntasks_per_node = 1, gpus_per_node = 0, cpus_per_task = 0;
  std::string time, partition, account, qos, mem, dependency;  ///< as sbatch writes them
  int signal_before_s = 180;                                   ///< ahead of the time limit
  int max_requeues = 20;  ///< how often the job goes back into the queue
  int max_restarts = 0;   ///< how often ranks that failed are started again, inside of the job
  std::vector<std::string> setup = {};  ///< shell commands that the job needs first, one a line
  std::string container = {}, container_runtime = "pyxis";  ///< of container_runtimes()

  std::string folder;  ///< absolute; where the program runs
  std::string log;     ///< absolute; %j, %A and %a are SLURM's
  /// Absolute; the run's folder, or the one that all runs of a sweep are below. In its `submit`, a
  /// note of a rank says that it wants to be run again.
  std::string output;
  std::vector<std::string> command;  ///< of each rank: a program and its arguments

  /// What the tasks of an array have of their own: more arguments. None: the job is no array.
  std::vector<std::vector<std::string>> tasks = {};
  int array_parallel = 0;  ///< how many of them run at once; 0: as many as there is room for

  int ranks() const { return nodes * ntasks_per_node; }
};

/// "pyxis" (enroot) and "apptainer".
std::vector<std::string> container_runtimes();

/// The text of a bash script for sbatch that starts the job's ranks by srun. Ranks are signalled
/// ahead of the time limit; a job whose ranks leave with exit code 75 goes back into the queue, any
/// other code ends it. Texts are quoted for the shell, so that none is anything but itself; the
/// lines of `setup` alone are run.
/// @throws ConfigError for what a line of the script cannot hold: control characters anywhere,
///         other than the usual characters in what is SLURM's
std::string sbatch_script(const BatchJob& job);

/// A text as one word of a shell's command.
std::string shell_quoted(std::string_view text);

}  // namespace hone::distributed
