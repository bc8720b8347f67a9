#pragma once

#include <functional>
#include <string>

namespace hone::distributed {

/// Where this process stands among those that train together, as what started it says.
struct Place {
  int rank = 0, world = 1;
  int local_rank = 0;       ///< among those of its machine
  std::string master_addr;  ///< where rank 0 can be reached; empty for one process alone
  int master_port = 0;
  std::string source;  ///< who said so, for messages
  /// Where torchrun itself keeps the store that ranks meet through: what their keys begin with.
  std::string store_prefix = {};
};

/// An environment variable, or null.
using Variable = std::function<const char*(const char* name)>;

/// Reads torchrun's variables (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), else
/// SLURM's, else Open MPI's. MASTER_ADDR and MASTER_PORT count for all of them; without, SLURM's
/// first node and a port made of the job's id are taken.
/// @return one process alone where there are none of them
/// @throws DistributedError where they contradict each other or are no numbers
Place find_place(const Variable& variable);
/// Of this process's own environment.
Place find_place();

/// The first host of a list as SLURM writes it: "gpu[03-07,12],login1" gives "gpu03".
std::string first_host(const std::string& nodes);

}  // namespace hone::distributed
