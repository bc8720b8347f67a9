#include "model/offload.h"

#include <utility>

namespace hone::model {
namespace {

thread_local bool t_offloads = false;

}  // namespace

HostCopy::HostCopy(const Tensor& tensor)
    : host_(torch::empty(tensor.sizes(), tensor.options()
                                             .device(torch::kCPU)
                                             .requires_grad(false)
                                             .pinned_memory(tensor.is_cuda()))),
      device_(tensor.device()) {
  // In the order of the device's stream: the tensor's memory is used again only after this.
  host_.copy_(tensor.detach(), /*non_blocking=*/true);
}

Tensor HostCopy::fetched() const {
  return host_.to(device_, host_.scalar_type(), /*non_blocking=*/true, /*copy=*/true);
}

OffloadGuard::OffloadGuard(bool offloads) : before_(std::exchange(t_offloads, offloads)) {}

OffloadGuard::~OffloadGuard() { t_offloads = before_; }

bool offloads() { return t_offloads; }

}  // namespace hone::model
