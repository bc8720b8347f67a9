#pragma once

#include <torch/types.h>

namespace hone::model {

using torch::Tensor;

/// A tensor's numbers in host memory, which is pinned where the tensor is on a GPU, so that both
/// ways go beside its computations. On the CPU it is a copy like any other.
class HostCopy {
 public:
  HostCopy() = default;
  explicit HostCopy(const Tensor& tensor);

  bool exists() const { return host_.defined(); }
  /// The numbers where they came from, in a tensor of their own.
  Tensor fetched() const;

 private:
  Tensor host_;
  torch::Device device_ = torch::kCPU;
};

/// While it lives, what recomputed() keeps for the backward pass on this thread is kept as a
/// HostCopy, and the tensor itself can go: a GPU then holds the inputs of no layer but those that
/// are at work.
class OffloadGuard {
 public:
  explicit OffloadGuard(bool offloads = true);
  ~OffloadGuard();
  OffloadGuard(const OffloadGuard&) = delete;
  OffloadGuard& operator=(const OffloadGuard&) = delete;

 private:
  bool before_;
};

/// Whether such a guard lives.
bool offloads();

}  // namespace hone::model
