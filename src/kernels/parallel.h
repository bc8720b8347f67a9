#pragma once

#include <cstdint>
#include <functional>

namespace hone::kernels {

/// Cuts [0, n) into ranges of at least `grain` and calls `body(begin, end)` for each, on LibTorch's
/// threads. Work that must not depend on the number of threads may not depend on where it is cut.
void parallel_for(std::int64_t n, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace hone::kernels
