#include <fmt/ranges.h>

#include "cli/audit_arguments.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "datasets/audit/clean.h"

namespace hone::cli {
namespace {

namespace audit = datasets::audit;

struct Arguments {
  AuditArguments rows;
  std::string output, ledger;
  std::vector<std::string> steps;
  bool dry_run = false;
};

void print_summary(const audit::CleanSummary& summary, const Arguments& arguments) {
  fmt::print("{} rows read, {} kept, {} of them changed\n", summary.rows, summary.kept,
             summary.changed);
  for (const audit::StepResult& step : summary.steps)
    fmt::print("  {:<22}{:>9}\n", step.name, step.rows);
  if (arguments.dry_run) {
    fmt::print("nothing was written (--dry-run)\n");
  } else {
    fmt::print("wrote {}{}\n", arguments.output,
               arguments.ledger.empty() ? "" : " and " + arguments.ledger);
  }
}

ExitCode run_clean(const Arguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError, !arguments.output.empty() || arguments.dry_run,
             "--output: name the file that the rows go to, or try with --dry-run");
  const AuditRows rows(arguments.rows, common);
  const audit::CleanSummary summary = audit::clean({.audit = rows.input,
                                                    .steps = arguments.steps,
                                                    .output = arguments.output,
                                                    .ledger = arguments.ledger,
                                                    .dry_run = arguments.dry_run});
  if (!common.json) {
    print_summary(summary, arguments);
    return ExitCode::kDone;
  }
  nlohmann::ordered_json steps = nlohmann::ordered_json::object();
  for (const audit::StepResult& step : summary.steps) steps[step.name] = step.rows;
  print_row({{"rows", summary.rows},
             {"kept", summary.kept},
             {"changed", summary.changed},
             {"steps", steps},
             {"dry_run", arguments.dry_run}});
  return ExitCode::kDone;
}

std::string steps_help() {
  return fmt::format(
      "Steps, applied in this order whatever order they are named in. Without --steps: "
      "exact_duplicates,\nempty, equal_pairs, and with --eval or --benchmark the leaks and the "
      "contamination.\nChecks of `hone data audit` leave out the rows that they find; the last {} "
      "change texts.\n\n  {}",
      audit::edits().size(), fmt::join(audit::step_names(), "\n  "));
}

}  // namespace

Action declare_data_clean(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->rows.declare(command);
  command.add_option("--output", arguments->output, "The JSONL file that the rows go to");
  command.add_option("--steps", arguments->steps, "What is done (see below), by commas")
      ->delimiter(',');
  command.add_option(
      "--ledger", arguments->ledger,
      "A JSONL file that says of each row that went or changed: file, row, step, why");
  command.add_flag("--dry-run", arguments->dry_run, "Count only, write nothing");
  command.footer(steps_help());
  return [arguments, &common] { return run_clean(*arguments, common); };
}

}  // namespace hone::cli
