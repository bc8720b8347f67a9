#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/kept_tensors.h"

namespace hone::engine {

/// Copies of tensors in host memory. The memory is kept from one time to the next: what takes time
/// in a first copy is to be given memory at all.
class HostCopies {
 public:
  /// Takes tensors in, and looks for NaN and infinities, in one pass over them on all cores.
  /// @param copies false: those that lie in host memory are referred to, not copied
  /// @return the name of the first that is not finite; then what was taken is of no use
  std::optional<std::string> take(const std::vector<KeptTensor>& tensors, bool copies);

  /// In the order of the tensors that were taken, contiguous on the CPU.
  const std::vector<KeptTensor>& tensors() const { return taken_; }

 private:
  std::vector<KeptTensor> taken_;
  std::vector<Tensor> memory_;
};

}  // namespace hone::engine
