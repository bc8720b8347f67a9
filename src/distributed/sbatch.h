#pragma once

#include <filesystem>
#include <string>

namespace hone::distributed {

/// Hands a script to sbatch.
/// @return the job's number
/// @throws DistributedError with what sbatch said, and a remedy where it is known
std::string submit_script(const std::filesystem::path& script);

/// Whether sbatch is on the PATH.
bool has_sbatch();

/// What to do about something that sbatch said; empty where that is not known.
std::string remedy_for(const std::string& complaint);

}  // namespace hone::distributed
