#include "distributed/overlapped_sum.h"

#include <ATen/ThreadLocalState.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <ranges>
#include <utility>

#include "base/error.h"
#include "distributed/exchange.h"

namespace hone::distributed {

/// What autograd calls, on its own thread where there is a GPU, once a gradient has been added to.
class OverlappedSum::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(OverlappedSum& sum, std::size_t bucket) : sum_(sum), bucket_(bucket) {}
  void operator()(const torch::autograd::Variable&) override { sum_.note_complete(bucket_); }

 private:
  OverlappedSum& sum_;
  std::size_t bucket_;
};

OverlappedSum::OverlappedSum(const Group& group, std::span<const Tensor> parameters,
                             std::int64_t bucket_bytes)
    : group_(group) {
  std::int64_t bytes = bucket_bytes;  // of the bucket that is being filled: there is none
  for (const Tensor& parameter : std::views::reverse(parameters)) {
    if (bytes >= bucket_bytes) {
      buckets_.emplace_back();
      bytes = 0;
    }
    buckets_.back().parameters.push_back(parameter);
    bytes += static_cast<std::int64_t>(parameter.nbytes());
  }
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
  // It inherits what is traced: its exchanges show in a profile beside the backward pass.
  thread_ = std::thread([this, state = at::ThreadLocalState()] {
    const at::ThreadLocalStateGuard guard(state);
    work();
  });
}

OverlappedSum::~OverlappedSum() {
  unhook();
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    // The others wait in an exchange that this rank will not come to, or it waits for them.
    if (!is_finished_) group_.give_up();
  }
  wake_.notify_all();
  thread_.join();
}

void OverlappedSum::begin() {
  for (std::size_t i = 0; i < buckets_.size(); ++i)
    for (const Tensor& parameter : buckets_[i].parameters)
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>(*this, i));
  is_hooked_ = true;
}

void OverlappedSum::unhook() {
  if (!std::exchange(is_hooked_, false)) return;
  for (const Bucket& bucket : buckets_)
    for (const Tensor& parameter : bucket.parameters)
      torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void OverlappedSum::note_complete(std::size_t bucket) {
  const std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(error_);  // a long backward pass need not be taken to its end
  HONE_ASSERT(buckets_[bucket].missing > 0, "a gradient of bucket {} is added to twice", bucket);
  --buckets_[bucket].missing;
  const std::size_t before = ready_;
  while (ready_ < buckets_.size() && buckets_[ready_].missing == 0) ++ready_;
  if (ready_ > before) wake_.notify_all();
}

void OverlappedSum::finish() {
  unhook();
  std::unique_lock lock(mutex_);
  for (std::size_t i = ready_; i < buckets_.size(); ++i)
    for (Tensor& parameter : buckets_[i].parameters)
      if (!parameter.grad().defined()) parameter.mutable_grad() = torch::zeros_like(parameter);
  ready_ = buckets_.size();
  is_over_ = true;
  wake_.notify_all();
  wake_.wait(lock, [this] { return is_finished_; });
  if (error_) std::rethrow_exception(error_);
}

void OverlappedSum::work() {
  std::exception_ptr error;
  try {
    for (std::size_t sent = 0; sent < buckets_.size(); ++sent) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return sent < ready_ || is_over_; });
      if (sent >= ready_) break;  // given up
      lock.unlock();
      send(sent);
    }
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = error;
  is_finished_ = true;
  wake_.notify_all();
}

void OverlappedSum::send(std::size_t bucket) const {
  const std::string what = fmt::format("the gradients ({} of {})", bucket + 1, buckets_.size());
  const std::string name = "reduction of " + what;
  at::RecordFunction mark(at::RecordScope::USER_SCOPE);
  if (mark.isActive()) mark.before(name.c_str());
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : buckets_[bucket].parameters) gradients.push_back(parameter.grad());
  sum_bucket(group_, gradients, group_.reduce_dtype(), what);
}

}  // namespace hone::distributed
