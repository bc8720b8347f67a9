#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/load.h"
#include "datasets/options.h"

namespace hone::datasets {

/// What is tokenised, as load() takes it.
struct LoadRequest {
  const std::vector<std::string>& files;
  const DataOptions& options;
  const TextTools& tools;
  std::int64_t context_length;
  const LoadSettings& settings;
};

/// Reads the rows of the files, tokenises them on settings.threads threads, and gives them to
/// `take` in the order of the files, one after the other, in constant memory, until it says false.
/// What `take` is given does not depend on the number of threads.
/// @throws DataError as load() does
RowCounts tokenise(const LoadRequest& request, const std::function<bool(Example)>& take);

}  // namespace hone::datasets
