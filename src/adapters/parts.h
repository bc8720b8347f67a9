#pragma once

#include <torch/types.h>
#include <functional>
#include <mutex>
#include <vector>

namespace hone::adapters {

using torch::Tensor;

/// A trained tensor of which each user takes a part: an expert's matrix, a layer's rows.
///
/// It is cut into all parts at once, and again only after it has changed: the gradients of the
/// parts are then put together once a backward pass, where a cut for each part would add up as many
/// tensors of the full size.
class Parts {
 public:
  /// @param cut views of the tensor, in order
  Parts(Tensor whole, std::function<std::vector<Tensor>(const Tensor& whole)> cut);

  /// One part as the tensor now is; gradients flow to the tensor. Threads may share it.
  Tensor at(std::int64_t index) const;

 private:
  /// What a cut depends on: a view of a leaf that has changed since has lost its gradient.
  struct State {
    std::int64_t version = -1;
    bool has_gradient = false;
    bool operator==(const State&) const = default;
  };

  Tensor whole_;
  std::function<std::vector<Tensor>(const Tensor&)> cut_;
  mutable std::mutex mutex_;
  mutable std::vector<Tensor> parts_;
  mutable State state_;
};

}  // namespace hone::adapters
