#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "base/error.h"

namespace hone::cli {

/// Options that every verb takes where they mean something to it.
struct Common {
  std::string device = "cpu";
  int threads = 0;   ///< 0: as many as this process may use
  std::string seed;  ///< empty: the config's
  bool json = false;
};

/// What a verb does once the command line is read.
using Action = std::function<ExitCode()>;

/// Declares a verb's own options on `command` and gives what it does with them.
using Declare = Action (*)(CLI::App& command, const Common& common);

Action declare_adapters(CLI::App& command, const Common& common);
Action declare_chat(CLI::App& command, const Common& common);
Action declare_check(CLI::App& command, const Common& common);
Action declare_data(CLI::App& command, const Common& common);
Action declare_eval(CLI::App& command, const Common& common);
Action declare_explain(CLI::App& command, const Common& common);
Action declare_export(CLI::App& command, const Common& common);
Action declare_generate(CLI::App& command, const Common& common);
Action declare_launch(CLI::App& command, const Common& common);
Action declare_lineage(CLI::App& command, const Common& common);
Action declare_logprobs(CLI::App& command, const Common& common);
Action declare_merge(CLI::App& command, const Common& common);
Action declare_plan(CLI::App& command, const Common& common);
Action declare_quantize(CLI::App& command, const Common& common);
Action declare_rank(CLI::App& command, const Common& common);
Action declare_registry(CLI::App& command, const Common& common);
Action declare_report(CLI::App& command, const Common& common);
Action declare_reproduce(CLI::App& command, const Common& common);
Action declare_runs(CLI::App& command, const Common& common);
Action declare_submit(CLI::App& command, const Common& common);
Action declare_tokenize(CLI::App& command, const Common& common);
Action declare_train(CLI::App& command, const Common& common);
Action declare_verify(CLI::App& command, const Common& common);
Action declare_verify_export(CLI::App& command, const Common& common);

/// Reads `arguments`, does what they say, and maps what goes wrong to an exit code; a message goes
/// to stderr. Nothing is thrown.
ExitCode run(int argc, char** argv);

}  // namespace hone::cli
