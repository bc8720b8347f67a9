#include "model/generate_stream.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace hone::model {
namespace {

/// Batches that are read ahead: enough for the lengths within one to be alike, few enough to hold.
constexpr std::size_t kBatchesAhead = 16;

using Prompts = std::vector<std::vector<std::int64_t>>;

Prompts read_ahead(const std::function<std::optional<std::vector<std::int64_t>>()>& next,
                   std::size_t most) {
  Prompts prompts;
  while (prompts.size() < most) {
    auto prompt = next();
    if (!prompt) break;
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

/// Places of the prompts, the longest first: what does not fit into memory shows at once.
std::vector<std::size_t> by_length(const Prompts& prompts) {
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return prompts[i].size(); });
  return order;
}

}  // namespace

void generate_stream(const Decoder& decoder,
                     const std::function<std::optional<std::vector<std::int64_t>>()>& next,
                     const SamplingOptions& sampling, const StreamOptions& options,
                     const std::function<void(std::vector<Generated> copies)>& take) {
  HONE_ASSERT(options.batch_size > 0 && options.copies > 0);
  const std::size_t prompts_per_batch =
      std::max<std::size_t>(1, options.batch_size / options.copies);
  for (std::uint64_t first = 0;;) {
    Prompts prompts = read_ahead(next, kBatchesAhead * prompts_per_batch);
    if (prompts.empty()) return;
    const std::vector<std::size_t> order = by_length(prompts);
    std::vector<std::vector<Generated>> results(prompts.size());
    for (std::size_t begin = 0; begin < order.size(); begin += prompts_per_batch) {
      const std::size_t end = std::min(order.size(), begin + prompts_per_batch);
      std::vector<NumberedPrompt> batch;
      for (std::size_t i = begin; i < end; ++i)
        batch.push_back({std::move(prompts[order[i]]), first + order[i]});
      std::vector<Generated> made = generate_copies(decoder, batch, sampling, options.copies);
      for (std::size_t i = 0; i < made.size(); ++i)
        results[order[begin + i / options.copies]].push_back(std::move(made[i]));
    }
    for (std::vector<Generated>& copies : results) take(std::move(copies));
    first += prompts.size();
  }
}

}  // namespace hone::model
