#include "distributed/gpus.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace hone::distributed {

namespace fs = std::filesystem;

int count_gpus(const char* visible, const fs::path& listed) {
  if (visible != nullptr) {
    const std::string_view names(visible);
    // CUDA sees none from the first one on that is none.
    if (names.empty() || names.starts_with('-')) return 0;
    return static_cast<int>(std::ranges::count(names, ',')) + 1;
  }
  std::error_code ignored;  // no driver, no folder
  const fs::directory_iterator entries(listed, ignored);
  return ignored ? 0 : static_cast<int>(std::distance(begin(entries), end(entries)));
}

int count_gpus() {
  return count_gpus(std::getenv("CUDA_VISIBLE_DEVICES"), "/proc/driver/nvidia/gpus");
}

}  // namespace hone::distributed
