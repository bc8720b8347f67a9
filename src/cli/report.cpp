#include "base/file.h"
#include "base/log.h"
#include "cli/verbs.h"
#include "report/diagnosis.h"
#include "report/history.h"
#include "report/run_page.h"

namespace hone::cli {
namespace {

struct Arguments {
  std::vector<std::string> folders;
  std::string output;
};

ExitCode run_report(const Arguments& arguments) {
  std::vector<report::RunHistory> runs;
  for (const std::string& folder : arguments.folders) runs.push_back(report::read_run(folder));
  HONE_CHECK(ConfigError, runs.size() == 1 || !arguments.output.empty(),
             "a page about {} runs lies in none of their folders; name it with --output",
             runs.size());
  const std::filesystem::path page = arguments.output.empty()
                                         ? runs[0].folder / "report.html"
                                         : std::filesystem::path(arguments.output);
  write_file_atomically(page,
                        report::run_page(runs, std::filesystem::absolute(page).parent_path()));
  for (const report::RunHistory& run : runs)
    for (const report::Diagnosis& one : report::diagnose(run))
      log::info("{}: {}: {}. {}", run.folder.string(), one.name, one.what, one.advice);
  log::info("saved   {}", page.string());
  return ExitCode::kDone;
}

}  // namespace

Action declare_report(CLI::App& command, const Common&) {
  auto arguments = std::make_shared<Arguments>();
  command.add_option("run", arguments->folders, "Folders of runs (train.output_dir)")->required();
  command.add_option("--output", arguments->output,
                     "Where the page goes; of a single run: report.html in its folder");
  return [arguments] { return run_report(*arguments); };
}

}  // namespace hone::cli
