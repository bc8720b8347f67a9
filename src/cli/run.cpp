#include <csignal>
#include <new>

#include "base/interrupt.h"
#include "base/log.h"
#include "cli/verbs.h"
#include "engine/device.h"

namespace hone::cli {
namespace {

struct Verb {
  const char* name;
  const char* help;
  Declare declare;
};

constexpr Verb kVerbs[] = {
    {"train", "Fine-tune a model as a config says.", declare_train},
    {"chat", "Talk to a model, line by line.", declare_chat},
    {"check", "Look at a config and its data as a run would, up to step 0.", declare_check},
    {"eval", "Measure a model, or a model with an adapter, on rows.", declare_eval},
    {"export", "Write what was trained as a server loads it, and prove that it computes the same.",
     declare_export},
    {"generate", "Continue prompts or answer conversations.", declare_generate},
    {"launch", "Train with several processes, on one machine or on many.", declare_launch},
    {"lineage", "What a checkpoint, an adapter or a model came from.", declare_lineage},
    {"logprobs", "Log-probability of every next token of rows.", declare_logprobs},
    {"merge", "Write an adapter, or several, into the base's weights.", declare_merge},
    {"adapters", "Plan adapters within a budget.", declare_adapters},
    {"plan", "What a run will take in memory and time, here or on many GPUs.", declare_plan},
    {"quantize", "Pack a model's layers to 4 or 8 bits, and tell what they lose.",
     declare_quantize},
    {"registry", "A folder of exports by name, version and tag, each file kept once.",
     declare_registry},
    {"report", "A page about a run, or about several side by side.", declare_report},
    {"reproduce", "The config that would train something again, and whether its inputs still hold.",
     declare_reproduce},
    {"runs", "The runs in a folder, as a table.", declare_runs},
    {"rank", "Best of n: candidate answers by what a reward model says of them.", declare_rank},
    {"score", "What a reward model or a classifier says of rows.", declare_logprobs},
    {"submit", "Train as a batch job of SLURM.", declare_submit},
    {"tokenize", "Text to token ids and offsets, or back.", declare_tokenize},
    {"verify", "Whether a config's steps are the same however they are cut, packed or resumed.",
     declare_verify},
    {"verify-export", "Whether an export is what it was when it was written.",
     declare_verify_export},
    {"data", "Look at what data becomes.", declare_data},
    {"explain", "What the keys of a config mean.", declare_explain},
};

/// CLI11's description of a wrong command line, in hone's form.
ExitCode refuse_command_line(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  const std::vector<std::string> extras = app.remaining();
  if (verbs.empty() && !extras.empty()) {
    log::error(fmt::format("`{}` is no verb of hone. See `hone --help`.", extras.front()));
  } else {
    const std::string verb = verbs.empty() ? "" : verbs.front()->get_name() + " ";
    log::error(fmt::format("{}\nSee `hone {}--help`.", error.what(), verb));
  }
  return ExitCode::kWrongInput;
}

ExitCode act(const Action& action) {
  try {
    return action();
  } catch (const Interrupted& interrupted) {
    log::info("{}", interrupted.what());
    return interrupted.exit_code();
  } catch (const Error& error) {
    log::error(error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    log::error("out of memory; a smaller batch (train.tokens_per_device_batch) needs less");
  } catch (const std::exception& error) {
    // LibTorch's messages carry a stack trace that says nothing to a user.
    const std::string_view text = error.what();
    log::error(text.substr(0, text.find("\nException raised from")));
  }
  return ExitCode::kFailed;
}

}  // namespace

ExitCode run(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is then an error that is told
  CLI::App app("hone: fine-tuning of large language models", "hone");
  app.set_version_flag("--version", "hone " HONE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();

  Common common;
  bool quiet = false, verbose = false;
  app.add_option("--device", common.device, "cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--threads", common.threads, "Threads on the CPU (0: all there are)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", common.seed, "Seed of everything random")
      ->check(CLI::TypeValidator<std::uint64_t>("UINT"));
  app.add_flag("--json", common.json, "Results for a program to read");
  app.add_flag("--quiet", quiet, "Only warnings and errors on stderr");
  app.add_flag("--verbose", verbose, "More on stderr");

  Action action;
  for (const Verb& verb : kVerbs) {
    CLI::App* command = app.add_subcommand(verb.name, verb.help);
    command->fallthrough();
    command->final_callback(
        [&action, chosen = verb.declare(*command, common)] { action = chosen; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return static_cast<ExitCode>(app.exit(success));
  } catch (const CLI::ParseError& error) {
    return refuse_command_line(app, error);
  }
  if (quiet) log::set_level(log::Level::kQuiet);
  if (verbose) log::set_level(log::Level::kVerbose);
  engine::set_threads(common.threads);
  engine::bound_product_cache();
  return act(action);
}

}  // namespace hone::cli
