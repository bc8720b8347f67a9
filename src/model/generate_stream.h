#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/generate.h"

namespace hone::model {

/// How prompts that come one after another are put together.
struct StreamOptions {
  std::size_t batch_size = 32;  ///< sequences that are continued together
  std::size_t copies = 1;       ///< continuations of each prompt
};

/// Continues prompts that `next` gives, until it gives none, and hands the continuations of each to
/// `take` in the order of the prompts. Some batches' worth of prompts are read ahead and sorted by
/// length, so that a batch has prompts of about one length; no more than those are held at any
/// time. Each prompt is run once, however many copies of it are continued.
///
/// What a prompt is continued with does not depend on the others, as with generate().
/// @throws DataError as generate() does
void generate_stream(const Decoder& decoder,
                     const std::function<std::optional<std::vector<std::int64_t>>()>& next,
                     const SamplingOptions& sampling, const StreamOptions& options,
                     const std::function<void(std::vector<Generated> copies)>& take);

}  // namespace hone::model
