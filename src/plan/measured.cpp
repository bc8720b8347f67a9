#include "plan/measured.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "report/history.h"

namespace hone::plan {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// Over the steps but the first, which warms up.
double median_of(const report::RunHistory& run, const char* name) {
  const report::Curve* curve = run.curve(name);
  HONE_CHECK(DataError, curve != nullptr && curve->size() >= 2,
             "--measured {}: expected the `{}` of two steps or more in metrics.jsonl, found {}",
             run.folder.string(), name, curve == nullptr ? 0 : curve->size());
  std::vector<double> values;
  for (std::size_t i = 1; i < curve->size(); ++i) values.push_back((*curve)[i].value);
  return median(std::move(values));
}

}  // namespace

MeasuredRun read_measured(const std::filesystem::path& run_folder) {
  const report::RunHistory run = report::read_run(run_folder);
  const int ranks = run.record.value("ranks", 1);
  HONE_CHECK(
      DataError, ranks == 1,
      "--measured {}: is a run of {} ranks, whose times hold their exchange; expected one of "
      "a single device",
      run_folder.string(), ranks);
  MeasuredRun measured;
  SingleDevice& device = measured.device;
  device.forward_s = median_of(run, "time_forward_s");
  device.backward_s = median_of(run, "time_backward_s");
  device.rest_s = std::max(0.0, median_of(run, "time_s") - device.forward_s - device.backward_s);
  device.tokens = median_of(run, "tokens");
  device.from = fmt::format("the medians of {}", run_folder.string());
  device.is_measured = true;
  measured.mfu = run.record.value("mfu", 0.0);
  return measured;
}

SingleDevice device_of_step(const Plan& plan, double step_s, std::string from) {
  const double all = plan.work.step + plan.work.again;
  // What is computed again is computed in the backward pass.
  const double forward = all > 0 ? step_s * plan.work.forward / all : 0;
  return {.forward_s = forward,
          .backward_s = step_s - forward,
          .tokens = plan.work.tokens,
          .from = std::move(from)};
}

}  // namespace hone::plan
