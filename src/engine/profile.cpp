#include "engine/profile.h"

#include <ATen/Context.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"

namespace hone::engine {

namespace kineto = torch::autograd::profiler;
namespace impl = torch::profiler::impl;

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
  kineto::disableProfiler()->save(temporary);
  publish_file(temporary, path);
  log::info("profile steps {} to {} in {}", first_, step, path.string());
}

}  // namespace hone::engine
