#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/audit_arguments.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"

namespace hone::cli {
namespace {

struct Arguments {
  AuditArguments rows;
  std::string html;
};

ExitCode run_audit(const Arguments& arguments, const Common& common) {
  const AuditRows rows(arguments.rows, common);
  const datasets::audit::Report report = datasets::audit::audit(rows.input);
  if (!arguments.html.empty()) {
    write_file_atomically(arguments.html, datasets::audit::html_report(report));
    log::info("wrote   {}", arguments.html);
  }
  if (common.json) {
    print_row(datasets::audit::json_report(report));
  } else {
    fmt::print("{}", datasets::audit::text_report(report, isatty(STDOUT_FILENO) == 1));
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_audit(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->rows.declare(command);
  command.add_option("--html", arguments->html, "Also a page with plots, in this file");
  command.footer(
      "What is wrong or odd with rows: duplicates, leaks, contradictions, cut answers, personal "
      "data,\nresidue, and how lengths and scripts are spread. Nothing is changed; see `hone data "
      "clean`.");
  return [arguments, &common] { return run_audit(*arguments, common); };
}

}  // namespace hone::cli
