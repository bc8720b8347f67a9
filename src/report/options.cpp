#include "report/options.h"

namespace hone::report {

using namespace config;

const Table<ReportOptions>& ReportOptions::table() {
  static const Table<ReportOptions> table(
      "report", "What a run tells besides metrics.jsonl and run.json, in its own folder.",
      {field(
           "report_to", &ReportOptions::report_to, {}, kScalarOrList,
           choices({"tensorboard", "csv"}),
           "tensorboard: event files as the run goes (tensorboard/). csv: metrics.csv at its end, "
           "one row a step."),
       field("html", &ReportOptions::html, true,
             "A page with curves, diagnosis and config at the end: report.html.")});
  return table;
}

}  // namespace hone::report
