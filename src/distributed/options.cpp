#include "distributed/options.h"

#include <fmt/format.h>

#include "distributed/strategy.h"

namespace hone::distributed {

using namespace config;

namespace {

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Strategy& strategy : strategies()) names.emplace_back(strategy.name);
  return names;
}

std::string strategy_help() {
  std::string help = "What the processes of a run divide among themselves.";
  for (const Strategy& strategy : strategies())
    help += fmt::format(" {}: {}.", strategy.name, strategy.help);
  return help;
}

}  // namespace

const Table<DistributedOptions>& DistributedOptions::table() {
  static const Table<DistributedOptions> table(
      "distributed",
      "Several processes that train one model: hone launch, torchrun, SLURM or MPI starts them. "
      "One "
      "process alone needs none of it.",
      {field("strategy", &DistributedOptions::strategy, "ddp", choices(strategy_names()),
             std::string_view(strategy_help())),
       field(
           "timeout_s", &DistributedOptions::timeout_s, 60, at_least(1), unit("seconds"),
           "How long a process waits within a step for one that lives and does not come; one that "
           "is dead is noticed within seconds, whatever this says."),
       field(
           "first_step_timeout_s", &DistributedOptions::first_step_timeout_s, 1800, at_least(1),
           unit("seconds"),
           "The same for the first step, and between steps, where evaluations and checkpoints are "
           "made."),
       field("check_steps", &DistributedOptions::check_steps, 50, at_least(0),
             unit("optimizer steps"),
             "Every so many steps the processes compare checksums of the trained weights and of "
             "the step's rows; a difference ends the run and names the process and the tensor. 0: "
             "never."),
       field("shard_size", &DistributedOptions::shard_size, 0, at_least(0),
             "Strategy hybrid: how many processes hold a model together; their number has to be a "
             "multiple of it. 0: those of a machine."),
       field(
           "gather_ahead", &DistributedOptions::gather_ahead, true,
           "Strategies fsdp and hybrid: the next layer's weights are gathered while one computes, "
           "so that two layers are there at a time; without it one, and the layers wait.")});
  return table;
}

}  // namespace hone::distributed
