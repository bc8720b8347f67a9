#include "engine/profile.h"

#include <ATen/Context.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "engine/operation_times.h"
#include "engine/phase_clock.h"

namespace hone::engine {

namespace kineto = torch::autograd::profiler;
namespace impl = torch::profiler::impl;

namespace {

constexpr std::size_t kToldOperations = 12;

/// What ran on the host's threads, or on the devices.
std::vector<Ran> what_ran(const kineto::ProfilerResult& trace, bool on_devices) {
  std::vector<Ran> ran;
  for (const kineto::KinetoEvent& event : trace.events()) {
    const bool is_of_host = event.deviceType() == c10::DeviceType::CPU;
    if (event.isAsync() || is_of_host == on_devices) continue;
    const bool is_phase = event.scope() == static_cast<std::uint8_t>(at::RecordScope::USER_SCOPE) &&
                          std::ranges::count(kPhaseNames, event.name()) > 0;
    ran.push_back({.name = event.name(),
                   .begin_ns = event.startNs(),
                   .end_ns = event.endNs(),
                   .thread = is_of_host ? event.startThreadId()
                                        : static_cast<std::uint64_t>(event.deviceResourceId()),
                   .is_phase = is_of_host && is_phase});
  }
  return ran;
}

nlohmann::json to_json(const std::vector<OperationTime>& times) {
  nlohmann::json rows = nlohmann::json::array();
  for (const OperationTime& time : times)
    rows.push_back({{"phase", time.phase},
                    {"operation", time.operation},
                    {"calls", time.calls},
                    {"self_s", time.self_s},
                    {"total_s", time.total_s}});
  return rows;
}

/// The operations that cost most, as lines of the log.
void tell(const std::vector<OperationTime>& times) {
  double sum = 0;
  for (const OperationTime& time : times) sum += time.self_s;
  for (std::size_t i = 0; i < std::min(times.size(), kToldOperations); ++i)
    log::info("  {:5.1f} %  {:<10} {:<44} {:6} calls  {:9.2f} ms", 100 * times[i].self_s / sum,
              times[i].phase, times[i].operation, times[i].calls, 1e3 * times[i].self_s);
}

}  // namespace

Profile::Profile(std::filesystem::path run_folder, std::int64_t first_step,
                 std::int64_t total_steps, std::int64_t steps)
    : run_folder_(std::move(run_folder)),
      first_(std::min(first_step + 1, total_steps)),
      last_(std::min(first_ + steps - 1, total_steps)) {}

Profile::~Profile() {
  if (is_on_) kineto::disableProfiler();
}

void Profile::begin_step(std::int64_t step) {
  if (step != first_ || last_ < first_) return;
  const impl::ProfilerConfig config(impl::ProfilerState::KINETO);
  std::set<impl::ActivityType> activities{impl::ActivityType::CPU};
  if (at::hasCUDA()) activities.insert(impl::ActivityType::CUDA);
  kineto::prepareProfiler(config, activities);
  kineto::enableProfiler(config, activities);
  is_on_ = true;
}

void Profile::end_step(std::int64_t step) {
  if (!is_on_ || step < last_) return;
  is_on_ = false;
  const std::filesystem::path path = run_folder_ / kFileName,
                              temporary =
                                  run_folder_ / fmt::format(".{}.{}.tmp", kFileName, ::getpid());
  const auto trace = kineto::disableProfiler();
  trace->save(temporary);
  publish_file(temporary, path);
  const std::vector<OperationTime> host = operation_times(what_ran(*trace, false)),
                                   devices = operation_times(what_ran(*trace, true));
  const nlohmann::json table = {
      {"steps", {first_, step}}, {"host", to_json(host)}, {"devices", to_json(devices)}};
  write_file_atomically(run_folder_ / kTableName, table.dump(1) + "\n");
  log::info("profile steps {} to {} in {}; the operations that took most by themselves:", first_,
            step, path.string());
  tell(devices.empty() ? host : devices);
}

}  // namespace hone::engine
