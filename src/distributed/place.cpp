#include "distributed/place.h"

#include <charconv>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace hone::distributed {
namespace {

constexpr int kDefaultPort = 29500;  // torchrun's
/// Ports that are made of a job's id: below those that systems give to outgoing connections.
constexpr int kFirstJobPort = 15000, kJobPorts = 10000;

std::optional<std::string> text_of(const Variable& variable, const char* name) {
  const char* value = variable(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<int> number_of(const Variable& variable, const char* name) {
  const auto text = text_of(variable, name);
  if (!text) return std::nullopt;
  int number = 0;
  const char* end = text->data() + text->size();
  const auto [last, error] = std::from_chars(text->data(), end, number);
  HONE_CHECK(DistributedError, error == std::errc() && last == end && number >= 0,
             "{}={}: expected a number from 0; it says where this process stands among those that "
             "train together. Unset it to train alone",
             name, *text);
  return number;
}

/// One who starts processes, and how it tells them where they stand.
struct Launcher {
  const char* source;
  const char *rank, *world, *local_rank;
  /// Where rank 0 is, if MASTER_ADDR does not say; empty: not known.
  std::string (*address)(const Variable& variable, int world);
  /// What a port is made of, if MASTER_PORT does not say: an id of the job.
  const char* job;
};

std::string no_address(const Variable&, int) { return ""; }

std::string address_of_slurm(const Variable& variable, int) {
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"})
    if (const auto nodes = text_of(variable, name)) return first_host(*nodes);
  return "";
}

std::string address_of_mpi(const Variable& variable, int world) {
  const bool is_one_machine = number_of(variable, "OMPI_COMM_WORLD_LOCAL_SIZE") == world;
  return is_one_machine ? "127.0.0.1" : "";
}

constexpr Launcher kLaunchers[] = {
    {"torchrun's environment", "RANK", "WORLD_SIZE", "LOCAL_RANK", no_address, nullptr},
    {"SLURM", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", address_of_slurm, "SLURM_JOB_ID"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     address_of_mpi, "PMIX_NAMESPACE"},
};

int port_of(const Launcher& launcher, const Variable& variable) {
  if (const auto port = number_of(variable, "MASTER_PORT")) {
    HONE_CHECK(DistributedError, *port > 0 && *port < 65536, "MASTER_PORT={}: expected 1 to 65535",
               *port);
    return *port;
  }
  const auto job = launcher.job != nullptr ? text_of(variable, launcher.job) : std::nullopt;
  if (!job) return kDefaultPort;
  const int id = std::accumulate(job->begin(), job->end(), 0, [](int sum, char c) {
    return (sum * 10 + static_cast<unsigned char>(c) % 16) % kJobPorts;
  });
  return kFirstJobPort + id;
}

Place place_by(const Launcher& launcher, const Variable& variable, int rank, int world) {
  HONE_CHECK(DistributedError, world > 0 && rank < world,
             "{}={} and {}={}: expected a rank below the number of processes", launcher.rank, rank,
             launcher.world, world);
  Place place{rank, world, number_of(variable, launcher.local_rank).value_or(rank),
              "",   0,     launcher.source};
  if (world == 1) return place;
  place.master_addr = text_of(variable, "MASTER_ADDR").value_or(launcher.address(variable, world));
  HONE_CHECK(DistributedError, !place.master_addr.empty(),
             "MASTER_ADDR is not set, and {} does not say where rank 0 of {} processes can be "
             "reached; set it to that machine's name or address",
             launcher.source, world);
  place.master_port = port_of(launcher, variable);
  // Its store outlives the ranks, so that each attempt has keys of its own.
  if (text_of(variable, "TORCHELASTIC_USE_AGENT_STORE") == "True")
    place.store_prefix =
        "hone/" + text_of(variable, "TORCHELASTIC_RESTART_COUNT").value_or("0") + "/";
  return place;
}

}  // namespace

Place find_place(const Variable& variable) {
  for (const Launcher& launcher : kLaunchers) {
    const auto rank = number_of(variable, launcher.rank);
    auto world = number_of(variable, launcher.world);
    if (!rank || !world) continue;
    // A step of a SLURM job may have fewer tasks than the job.
    if (std::string_view(launcher.rank) == "SLURM_PROCID")
      world = number_of(variable, "SLURM_STEP_NUM_TASKS").value_or(*world);
    return place_by(launcher, variable, *rank, *world);
  }
  const int world = number_of(variable, "WORLD_SIZE").value_or(1);
  HONE_CHECK(DistributedError, world == 1,
             "WORLD_SIZE={} is set and RANK is not; both say where this process stands among those "
             "that train together. Unset it to train alone",
             world);
  return {};
}

Place find_place() {
  return find_place([](const char* name) -> const char* { return std::getenv(name); });
}

std::string first_host(const std::string& nodes) {
  std::string host;
  bool in_brackets = false, is_taken = false;  // of what brackets hold the first one is taken
  for (const char c : nodes) {
    if (!in_brackets && c == ',') break;
    if (c == '[' || c == ']') {
      in_brackets = c == '[';
      is_taken = false;
    } else if (in_brackets && (c == ',' || c == '-')) {
      is_taken = true;
    } else if (!is_taken) {
      host += c;
    }
  }
  return host;
}

}  // namespace hone::distributed
