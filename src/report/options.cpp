#include "report/options.h"

namespace hone::report {

using namespace config;

const Table<ReportOptions>& ReportOptions::table() {
  static const Table<ReportOptions> table(
      "report", "What a run tells besides metrics.jsonl and run.json.",
      {field(
           "report_to", &ReportOptions::report_to, {}, kScalarOrList,
           choices({"tensorboard", "csv", "mlflow"}),
           "tensorboard: event files as the run goes (tensorboard/). csv: metrics.csv at its end, "
           "one row a step. mlflow: MLflow's file store, in mlflow_dir."),
       field(
           "mlflow_dir", &ReportOptions::mlflow_dir, "",
           "The store that `mlflow ui --backend-store-uri` is given, which many runs share; empty: "
           "mlruns beside train.output_dir."),
       field("html", &ReportOptions::html, true,
             "A page with curves, diagnosis and config at the end: report.html."),
       field("grad_norm_groups", &ReportOptions::grad_norm_groups, false,
             "The gradient's norm also for each kind of parameter over all layers, as "
             "grad_norm/q_proj.lora_A."),
       field("profile_steps", &ReportOptions::profile_steps, 0, at_least(0),
             unit("optimizer steps"),
             "So many steps, from the second on, are traced into trace.json, which Perfetto and "
             "chrome://tracing open: LibTorch's operations and the phases of a step; and added up "
             "by operation and phase in profile.json.")});
  return table;
}

}  // namespace hone::report
