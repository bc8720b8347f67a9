#include "cli/train.h"

#include "base/interrupt.h"
#include "base/log.h"
#include "cli/config_arguments.h"
#include "cli/serving.h"
#include "cli/verbs.h"
#include "distributed/place.h"
#include "engine/device.h"
#include "trainers/dpo/dpo.h"
#include "trainers/kto/kto.h"
#include "trainers/orpo/orpo.h"
#include "trainers/reward/reward.h"
#include "trainers/sft/sft.h"

namespace hone::cli {
namespace {

struct Trainer {
  const char* method;
  ExitCode (*run)(const config::Loaded<engine::RunOptions>& config,
                  const engine::Placement& placement, const engine::ResumeRequest& resume);
};

constexpr Trainer kTrainers[] = {{"sft", sft::run},
                                 {"dpo", dpo::run},
                                 {"kto", kto::run},
                                 {"orpo", orpo::run},
                                 {"reward", reward::run}};

struct Arguments {
  ConfigArguments config;
  std::string resume;
  std::int64_t profile = 0;
};

/// Ranks of a machine that has GPUs take one each.
std::string device_of(const std::string& device, const distributed::Place& place) {
  const bool shares = device == "cuda" && place.world > 1;
  return shares ? fmt::format("cuda:{}", place.local_rank) : device;
}

}  // namespace

ExitCode run_trainer(const config::Loaded<engine::RunOptions>& config,
                     const engine::Placement& placement, const engine::ResumeRequest& resume) {
  for (const Trainer& trainer : kTrainers)
    if (config.options.train.method == trainer.method)
      return trainer.run(config, placement, resume);
  HONE_ASSERT(false, "{}", config.options.train.method);
}

Action declare_train(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command);
  command.add_option(
      "--resume", arguments->resume,
      "Go on from a checkpoint's folder, or `auto`: from the run's newest valid one");
  command
      .add_option(
          "--profile", arguments->profile,
          "Steps that are traced into trace.json, for Perfetto, and added up by operation in "
          "profile.json: report.profile_steps")
      ->check(CLI::NonNegativeNumber);
  return [arguments, &common] {
    if (arguments->profile > 0)
      arguments->config.overrides.push_back(
          fmt::format("report.profile_steps={}", arguments->profile));
    const InterruptGuard guard;
    const auto config = arguments->config.load(common);
    const engine::RunOptions& options = config.options;
    const distributed::Place place = distributed::find_place();
    // What happens is told once; warnings and errors are each rank's own.
    if (place.rank > 0 && log::level() == log::Level::kNormal) log::set_level(log::Level::kQuiet);
    if (place.rank == 0) warn_of_serving(options);
    const engine::Placement placement = engine::place(device_of(common.device, place),
                                                      options.train.precision, options.model.dtype);
    return run_trainer(config, placement, {!arguments->resume.empty(), arguments->resume});
  };
}

}  // namespace hone::cli
