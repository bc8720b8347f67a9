#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace hone::distributed {

/// Processes of this program to be started on this machine.
struct LaunchPlan {
  int nproc = 1;
  int nnodes = 1, node_rank = 0;  ///< machines that start as many each, and which one this is
  std::string master_addr = {};   ///< rank 0's machine; empty: this one
  int master_port = 0;            ///< 0: a free one, of this machine
  int max_restarts = 0;           ///< after failures, from the last checkpoint
  std::vector<std::string> arguments = {};  ///< of each process: a verb and what belongs to it
};

/// Starts them with torchrun's environment, puts each line they write behind the writer's rank, and
/// forwards the signals that an InterruptGuard notes. Where one fails the others get some seconds
/// to notice and say so; then they are ended. They end with this process, however it ends. A
/// failure on one machine ends the ranks of all, as they notice it, and each machine's launcher
/// starts its own again after a pause: all of them want the same max_restarts.
/// @return kDone where all were done, kRunAgain where they were saved, else what the first to fail
///         said
/// @throws IoError where a process cannot be started
ExitCode launch(const LaunchPlan& plan);

}  // namespace hone::distributed
