// Part of libhone_cuda.so: the one place that knows NCCL.
#define USE_C10D_NCCL

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <cstdlib>

#include "distributed/nccl.h"

namespace hone::distributed {
namespace {

c10::intrusive_ptr<c10d::Backend> make_nccl(const NcclPlace& place) {
  // c10d's watchdog would end the process without a word of which rank is missing; Group says so,
  // and aborts what NCCL waits for.
  setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = place.timeout;
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(place.store, place.rank, place.world,
                                                             std::move(options));
  // Now, where a rank that does not come is said to be missing, and not within the first step.
  backend->eagerConnectSingleDevice(place.device);
  return backend;
}

}  // namespace
}  // namespace hone::distributed

extern "C" __attribute__((visibility("default"))) hone::distributed::MakeNccl hone_make_nccl() {
  return &hone::distributed::make_nccl;
}
