#include "adapters/parts.h"

#include <ATen/core/grad_mode.h>

namespace hone::adapters {

Parts::Parts(Tensor whole, std::function<std::vector<Tensor>(const Tensor& whole)> cut)
    : whole_(std::move(whole)), cut_(std::move(cut)) {}

Tensor Parts::at(std::int64_t index) const {
  const std::lock_guard lock(mutex_);
  const State now{static_cast<std::int64_t>(whole_._version()),
                  at::GradMode::is_enabled() && whole_.requires_grad()};
  if (parts_.empty() || !(now == state_)) {
    parts_ = cut_(whole_);
    state_ = now;
  }
  return parts_.at(static_cast<std::size_t>(index));
}

}  // namespace hone::adapters
