#pragma once

#include <cstdint>
#include <vector>

#include "datasets/row_order.h"

namespace hone::datasets {

/// How rows become micro-batches and micro-batches become optimizer steps.
struct SamplerOptions {
  std::int64_t rows_per_batch = 1;
  /// Above 0 it takes the place of rows_per_batch: rows are added to a micro-batch, in the epoch's
  /// order, while they fit. A single row with more tokens is a micro-batch by itself.
  std::int64_t tokens_per_batch = 0;
  std::int64_t gradient_accumulation_steps = 1;  ///< micro-batches of one optimizer step
  /// Without a token budget: the rows of a step are shared out to its micro-batches by their tokens
  /// (see share_out()), so that rows_per_batch is what these have in the mean.
  bool balance = false;
};

/// Which rows each optimizer step trains on: a pure function of the options, the rows' lengths,
/// their order and the step's number, so there is nothing to save and a run can be entered at any
/// step.
///
/// The last step of an epoch has fewer micro-batches, and the last micro-batch fewer rows, where
/// they do not come out even.
///
/// A member that caches an epoch's borders makes concurrent calls on one object unsafe; copies are
/// cheap beside the rows.
class Sampler {
 public:
  /// One optimizer step.
  struct Step {
    double epoch = 0;  ///< epochs done when the step is: 1.5 is the middle of the second one
    std::vector<std::vector<std::int64_t>> micro_batches;  ///< rows of each, from 0
  };

  /// @param lengths tokens of each row of the dataset
  /// @throws ConfigError when a batch has no size or accumulation is below 1
  Sampler(std::vector<std::int64_t> lengths, RowOrder order, SamplerOptions options);

  /// Optimizer steps of one epoch. With a token budget it differs a little between epochs.
  /// @param epoch from 0
  std::int64_t steps_per_epoch(std::int64_t epoch) const;

  /// Steps of a run; a part of an epoch is rounded up to a whole step, as transformers does.
  /// @throws ConfigError when `num_train_epochs` is not above 0, or beyond a million
  std::int64_t total_steps(double num_train_epochs) const;

  /// @param index from 0, without an end: epochs follow one another
  Step step(std::int64_t index) const;

  /// The rows of the micro-batches with the most and the fewest tokens of a run, and how many these
  /// are; of very long runs, of their first kMostRows rows.
  struct Extremes {
    std::vector<std::int64_t> longest, shortest;
    std::int64_t longest_tokens = 0, shortest_tokens = 0;
    std::int64_t longest_of_first_step = 0;  ///< tokens
  };
  Extremes extremes(std::int64_t steps) const;
  static constexpr std::int64_t kMostRows = 1'000'000;

 private:
  std::int64_t micro_batches_per_epoch(std::int64_t epoch) const;
  const std::vector<std::int64_t>& token_borders(std::int64_t epoch) const;
  std::vector<std::int64_t> micro_batch(std::int64_t epoch, std::int64_t index) const;
  /// Of the step that begins with the epoch's micro-batch `begin`.
  std::vector<std::vector<std::int64_t>> micro_batches(std::int64_t epoch,
                                                       std::int64_t begin) const;
  std::vector<std::vector<std::int64_t>> balanced(
      const std::vector<std::vector<std::int64_t>>& cut) const;
  std::int64_t tokens_of(std::int64_t row) const { return lengths_[std::size_t(row)]; }

  std::vector<std::int64_t> lengths_;
  RowOrder order_;
  SamplerOptions options_;

  // Only with a token budget: where each micro-batch of the epoch asked for last begins, and how
  // many micro-batches the epochs seen so far have.
  mutable std::int64_t cached_epoch_ = -1;
  mutable std::vector<std::int64_t> cached_borders_;
  mutable std::vector<std::int64_t> known_micro_batches_;
};

}  // namespace hone::datasets
