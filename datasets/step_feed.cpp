#include "datasets/step_feed.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "datasets/deal.h"

namespace hone::datasets {

std::size_t StepFeed::Step::last_own() const {
  for (std::size_t i = micro_batches.size(); i > 0; --i)
    if (is_own(i - 1)) return i - 1;
  return micro_batches.size();
}

StepFeed::StepFeed(Dataset data, Sampler sampler, std::int64_t steps, int rank, int world)
    : source_(
          std::make_shared<const Source>(Source{std::move(data), std::move(sampler), rank, world})),
      steps_(steps) {}

std::size_t StepFeed::Step::passes_left() const {
  std::map<int, std::size_t> counts = {{rank, 0}};
  for (const int one : ranks) ++counts[one];
  const auto most =
      std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
  return most->second - counts[rank];
}

StepFeed::Step StepFeed::Source::read(std::int64_t index) const {
  const Sampler::Step rows = sampler.step(index);
  Step step = {.epoch = rows.epoch, .rank = rank};
  for (const auto& micro_batch : rows.micro_batches)
    step.micro_batches.push_back(make_batch(data, micro_batch));
  if (world == 1) return step;
  std::vector<std::int64_t> tokens;
  for (const Batch& micro_batch : step.micro_batches) tokens.push_back(micro_batch.tokens());
  step.ranks = deal(tokens, world);
  return step;
}

StepFeed::Step StepFeed::step(std::int64_t index) {
  if (index == kProbe) return probe_;
  const auto begin = std::chrono::steady_clock::now();
  // The sampler is asked by one thread at a time: what is under way ends before anything begins.
  Step step;
  if (next_.valid() && next_index_ == index) {
    step = next_.get();
  } else {
    if (next_.valid()) next_.wait();
    step = source_->read(index);
  }
  waited_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  next_ = {};
  next_index_ = index + 1;
  if (next_index_ < steps_)
    next_ = std::async(std::launch::async,
                       [source = source_, i = next_index_] { return source->read(i); });
  return step;
}

}  // namespace hone::datasets
