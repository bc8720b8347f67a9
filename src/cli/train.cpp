#include "trainers/sft/sft.h"

#include "base/interrupt.h"
#include "cli/config_arguments.h"
#include "cli/verbs.h"
#include "engine/device.h"

namespace hone::cli {
namespace {

struct Trainer {
  const char* method;
  ExitCode (*run)(const config::Loaded<engine::RunOptions>& config,
                  const engine::Placement& placement, const engine::ResumeRequest& resume);
};

constexpr Trainer kTrainers[] = {{"sft", sft::run}};

struct Arguments {
  ConfigArguments config;
  std::string resume;
};

}  // namespace

Action declare_train(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command);
  command.add_option(
      "--resume", arguments->resume,
      "Go on from a checkpoint's folder, or `auto`: from the run's newest valid one");
  return [arguments, &common] {
    const InterruptGuard guard;
    const auto config = arguments->config.load(common);
    const engine::RunOptions& options = config.options;
    const engine::Placement placement =
        engine::place(common.device, options.train.precision, options.model.dtype);
    for (const Trainer& trainer : kTrainers)
      if (options.train.method == trainer.method)
        return trainer.run(config, placement, {!arguments->resume.empty(), arguments->resume});
    HONE_ASSERT(false, "{}", options.train.method);
  };
}

}  // namespace hone::cli
