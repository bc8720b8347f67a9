#include "engine/reproduce.h"

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "cli/model_arguments.h"
#include "cli/verbs.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using engine::InputState;
using nlohmann::ordered_json;

struct Arguments {
  std::string folder, config = "reproduce.yaml", output_dir;
};

std::string verdict_on(const InputState& state) {
  if (state.holds()) return "holds";
  if (state.found_sha256.empty()) return "missing";
  return state.recorded.sha256.empty() ? "new" : "changed";
}

/// What is to be typed. Paths of the config are relative to the folder that it ran in.
std::string command_of(const Arguments& arguments, const engine::Lineage& lineage) {
  std::string command;
  if (lineage.folder != fs::current_path()) command = "cd " + lineage.folder + " && ";
  command += fmt::format("hone train {} --threads {}", fs::absolute(arguments.config).string(),
                         lineage.machine.threads);
  if (lineage.machine.device != "cpu") command += " --device " + lineage.machine.device;
  return command;
}

void print_report(const engine::Reproduction& again, const std::string& command) {
  for (const InputState& state : again.inputs) {
    fmt::print("{:<8} {:<12} {}\n", verdict_on(state), state.what,
               state.recorded.path.empty() ? state.recorded.name : state.recorded.path);
    if (!state.holds() && !state.found_sha256.empty() && !state.recorded.sha256.empty())
      fmt::print("{:<21} then sha256 {}\n{:<21} now  sha256 {}\n", "", state.recorded.sha256, "",
                 state.found_sha256);
  }
  for (const std::string& note : again.notes) log::warn("{}", note);
  fmt::print("\n{}\n", command);
}

ordered_json report_of(const engine::Reproduction& again, const std::string& command, bool holds) {
  ordered_json inputs = ordered_json::array();
  for (const InputState& state : again.inputs)
    inputs.push_back({{"what", state.what},
                      {"path", state.recorded.path},
                      {"recorded_sha256", state.recorded.sha256},
                      {"found_sha256", state.found_sha256},
                      {"verdict", verdict_on(state)}});
  return {{"holds", holds}, {"command", command}, {"notes", again.notes}, {"inputs", inputs}};
}

/// The config is written in any case; wrong inputs are an exit code of their own.
ExitCode run_reproduce(Arguments arguments, const Common& common) {
  const engine::MadeFolder made = engine::read_made_folder(arguments.folder);
  if (arguments.output_dir.empty())
    arguments.output_dir = fs::absolute(arguments.config).replace_extension("run").string();
  const engine::Reproduction again = engine::reproduce(made, arguments.output_dir);
  write_file_atomically(arguments.config, again.config);
  const bool holds = std::ranges::all_of(again.inputs, &InputState::holds);
  const std::string command = command_of(arguments, made.lineage);
  if (common.json) {
    print_row(report_of(again, command, holds));
  } else {
    print_report(again, command);
  }
  if (!holds) log::error("not all of what it was made from is what it was");
  return holds ? ExitCode::kDone : ExitCode::kWrongInput;
}

}  // namespace

Action declare_reproduce(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  command
      .add_option("folder", arguments->folder,
                  "A checkpoint, an adapter or a model that hone trained, or a run's folder")
      ->required();
  command.add_option("--config", arguments->config, "Where the config goes")->capture_default_str();
  command.add_option("--output-dir", arguments->output_dir,
                     "train.output_dir of that config; without it, a folder beside it");
  return [arguments, &common] { return run_reproduce(*arguments, common); };
}

}  // namespace hone::cli
