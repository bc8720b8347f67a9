#include "distributed/launcher.h"

#include <algorithm>
#include <charconv>

#include "base/interrupt.h"
#include "cli/verbs.h"
#include "distributed/gpus.h"

namespace hone::cli {
namespace {

struct Arguments {
  distributed::LaunchPlan plan;
  std::string nproc = "1", master;
};

/// A number, or `auto`. @throws ConfigError
int processes_of(const std::string& nproc) {
  if (nproc == "auto") return std::max(1, distributed::count_gpus());
  int number = 0;
  const char* end = nproc.data() + nproc.size();
  const auto [last, error] = std::from_chars(nproc.data(), end, number);
  HONE_CHECK(ConfigError, error == std::errc() && last == end && number >= 1 && number <= 1024,
             "--nproc {}: expected 1 to 1024, or auto: one for each GPU of this machine", nproc);
  return number;
}

/// Takes HOST:PORT apart. @throws ConfigError
void set_master(const std::string& master, distributed::LaunchPlan& plan) {
  const std::size_t colon = master.rfind(':');
  int port = 0;
  if (colon != std::string::npos) {
    const char* end = master.data() + master.size();
    const auto [last, error] = std::from_chars(master.data() + colon + 1, end, port);
    if (error != std::errc() || last != end) port = 0;
  }
  HONE_CHECK(ConfigError, colon != std::string::npos && colon > 0 && port > 0 && port < 65536,
             "--master {}: expected HOST:PORT of the machine with node rank 0", master);
  plan.master_addr = master.substr(0, colon);
  plan.master_port = port;
}

ExitCode run_launch(const Arguments& arguments) {
  distributed::LaunchPlan plan = arguments.plan;
  plan.nproc = processes_of(arguments.nproc);
  if (!arguments.master.empty()) set_master(arguments.master, plan);
  HONE_CHECK(ConfigError, plan.node_rank < plan.nnodes,
             "--node-rank {}: expected less than --nnodes, which is {}", plan.node_rank,
             plan.nnodes);
  HONE_CHECK(
      ConfigError, plan.nnodes == 1 || !arguments.master.empty(),
      "--nnodes {}: the machines meet at one of them; name it on all with --master HOST:PORT",
      plan.nnodes);
  HONE_CHECK(ConfigError, plan.arguments.front() == "train",
             "`{}`: expected `train CONFIG …` behind --: no other verb shares its work",
             plan.arguments.front());
  const InterruptGuard guard;
  return distributed::launch(plan);
}

}  // namespace

Action declare_launch(CLI::App& command, const Common&) {
  auto arguments = std::make_shared<Arguments>();
  distributed::LaunchPlan& plan = arguments->plan;
  command
      .add_option("--nproc", arguments->nproc,
                  "Processes on this machine, or auto: one for each of its GPUs, one without any")
      ->capture_default_str();
  command.add_option("--nnodes", plan.nnodes, "Machines; the same command is given on each")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--node-rank", plan.node_rank, "Which of them this one is, from 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--master", arguments->master,
                     "HOST:PORT of the machine with node rank 0, where all meet");
  command
      .add_option("--max-restarts", plan.max_restarts,
                  "How often all are started again, from the last checkpoint, when one has failed; "
                  "the same on all machines, which start again together")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("command", plan.arguments, "-- train CONFIG [key.sub=value …] [--resume …]")
      ->required();
  return [arguments] { return run_launch(*arguments); };
}

}  // namespace hone::cli
