#include "datasets/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "datasets/deal.h"

namespace hone::datasets {
namespace {

constexpr double kMaxEpochs = 1e6;

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

Sampler::Sampler(std::vector<std::int64_t> lengths, RowOrder order, SamplerOptions options)
    : lengths_(std::move(lengths)), order_(std::move(order)), options_(options) {
  HONE_CHECK(ConfigError, options_.tokens_per_batch > 0 || options_.rows_per_batch > 0,
             "a batch needs a size: expected at least 1 row or 1 token, got {} rows and {} tokens",
             options_.rows_per_batch, options_.tokens_per_batch);
  HONE_CHECK(ConfigError, options_.gradient_accumulation_steps > 0,
             "gradient_accumulation_steps: expected at least 1, got {}",
             options_.gradient_accumulation_steps);
}

const std::vector<std::int64_t>& Sampler::token_borders(std::int64_t epoch) const {
  if (cached_epoch_ == epoch) return cached_borders_;
  cached_borders_.assign(1, 0);
  std::int64_t tokens = 0;
  for (std::int64_t place = 0; place < order_.size(); ++place) {
    const std::int64_t length = lengths_[static_cast<std::size_t>(order_.row(epoch, place))];
    if (tokens > 0 && tokens + length > options_.tokens_per_batch) {
      cached_borders_.push_back(place);
      tokens = 0;
    }
    tokens += length;
  }
  cached_borders_.push_back(order_.size());
  cached_epoch_ = epoch;
  return cached_borders_;
}

std::int64_t Sampler::micro_batches_per_epoch(std::int64_t epoch) const {
  if (options_.tokens_per_batch <= 0) return ceil_divide(order_.size(), options_.rows_per_batch);
  while (std::ssize(known_micro_batches_) <= epoch)
    known_micro_batches_.push_back(std::ssize(token_borders(std::ssize(known_micro_batches_))) - 1);
  return known_micro_batches_[static_cast<std::size_t>(epoch)];
}

std::vector<std::int64_t> Sampler::micro_batch(std::int64_t epoch, std::int64_t index) const {
  std::int64_t begin = index * options_.rows_per_batch;
  std::int64_t end = std::min(begin + options_.rows_per_batch, order_.size());
  if (options_.tokens_per_batch > 0) {
    const std::vector<std::int64_t>& borders = token_borders(epoch);
    begin = borders[static_cast<std::size_t>(index)];
    end = borders[static_cast<std::size_t>(index) + 1];
  }
  std::vector<std::int64_t> rows_of_batch;
  for (std::int64_t place = begin; place < end; ++place)
    rows_of_batch.push_back(order_.row(epoch, place));
  return rows_of_batch;
}

std::vector<std::vector<std::int64_t>> Sampler::micro_batches(std::int64_t epoch,
                                                              std::int64_t begin) const {
  const std::int64_t end =
      std::min(begin + options_.gradient_accumulation_steps, micro_batches_per_epoch(epoch));
  std::vector<std::vector<std::int64_t>> cut;
  for (std::int64_t i = begin; i < end; ++i) cut.push_back(micro_batch(epoch, i));
  return options_.balance && options_.tokens_per_batch <= 0 ? balanced(cut) : cut;
}

std::vector<std::vector<std::int64_t>> Sampler::balanced(
    const std::vector<std::vector<std::int64_t>>& cut) const {
  std::vector<std::int64_t> rows, tokens;
  for (const std::vector<std::int64_t>& batch : cut)
    rows.insert(rows.end(), batch.begin(), batch.end());
  for (const std::int64_t row : rows) tokens.push_back(tokens_of(row));
  std::vector<std::vector<std::int64_t>> shared;
  for (const std::vector<std::size_t>& share : share_out(tokens, cut.size())) {
    shared.emplace_back();
    for (const std::size_t place : share) shared.back().push_back(rows[place]);
  }
  return shared;
}

std::int64_t Sampler::steps_per_epoch(std::int64_t epoch) const {
  HONE_ASSERT(epoch >= 0, "epoch {}", epoch);
  return ceil_divide(micro_batches_per_epoch(epoch), options_.gradient_accumulation_steps);
}

std::int64_t Sampler::total_steps(double num_train_epochs) const {
  HONE_CHECK(ConfigError, num_train_epochs > 0 && num_train_epochs <= kMaxEpochs,
             "num_train_epochs: expected a number above 0 and at most {}, got {}", kMaxEpochs,
             num_train_epochs);
  const auto whole = static_cast<std::int64_t>(num_train_epochs);
  std::int64_t steps = 0;
  for (std::int64_t epoch = 0; epoch < whole; ++epoch) steps += steps_per_epoch(epoch);
  const double part = num_train_epochs - static_cast<double>(whole);
  if (part == 0) return steps;
  // 1.1 - 1 is a little above 0.1 in binary: without the allowance 10 steps an epoch would give 2.
  const double exact = part * static_cast<double>(steps_per_epoch(whole));
  return steps + std::max<std::int64_t>(1, std::llround(std::ceil(exact - 1e-9)));
}

Sampler::Step Sampler::step(std::int64_t index) const {
  HONE_ASSERT(index >= 0, "step {}", index);
  std::int64_t epoch = 0;
  if (options_.tokens_per_batch <= 0) {
    epoch = index / steps_per_epoch(0);
    index %= steps_per_epoch(0);
  } else {
    for (; index >= steps_per_epoch(epoch); ++epoch) index -= steps_per_epoch(epoch);
  }
  const std::int64_t count = micro_batches_per_epoch(epoch);
  const std::int64_t begin = index * options_.gradient_accumulation_steps;
  const std::int64_t end = std::min(begin + options_.gradient_accumulation_steps, count);
  Step step;
  step.epoch = static_cast<double>(epoch) + static_cast<double>(end) / static_cast<double>(count);
  step.micro_batches = micro_batches(epoch, begin);
  return step;
}

Sampler::Extremes Sampler::extremes(std::int64_t steps) const {
  Extremes found;
  std::int64_t rows = 0;
  const auto look_at = [&](std::vector<std::int64_t> batch, bool of_first_step) {
    rows += std::ssize(batch);
    std::int64_t tokens = 0;
    for (const std::int64_t row : batch) tokens += tokens_of(row);
    if (of_first_step) found.longest_of_first_step = std::max(found.longest_of_first_step, tokens);
    if (found.shortest.empty() || tokens < found.shortest_tokens) {
      found.shortest_tokens = tokens;
      found.shortest = batch;
    }
    if (tokens <= found.longest_tokens) return;
    found.longest_tokens = tokens;
    found.longest = std::move(batch);
  };
  const std::int64_t accumulation = options_.gradient_accumulation_steps;
  for (std::int64_t epoch = 0; steps > 0 && rows < kMostRows; ++epoch) {
    const std::int64_t count = std::min(micro_batches_per_epoch(epoch), steps * accumulation);
    for (std::int64_t i = 0; i < count && rows < kMostRows; i += accumulation)
      for (std::vector<std::int64_t>& batch : micro_batches(epoch, i))
        if (rows < kMostRows) look_at(std::move(batch), epoch == 0 && i == 0);
    steps -= steps_per_epoch(epoch);
  }
  return found;
}

}  // namespace hone::datasets
