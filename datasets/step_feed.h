#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "datasets/batch.h"
#include "datasets/dataset.h"
#include "datasets/sampler.h"

namespace hone::datasets {

/// The batches of optimizer steps. While one step is computed, those of the next are read on a
/// thread of their own, so that no step waits for the disk. What it gives is a function of the
/// step's number alone.
class StepFeed {
 public:
  struct Step {
    double epoch = 0;                       ///< see Sampler::Step
    std::vector<Batch> micro_batches = {};  ///< of all ranks, so that each can count what they hold
    int rank = 0;
    std::vector<int> ranks = {};  ///< the rank that computes each micro-batch; empty: one rank all

    /// Whether this rank computes the micro-batch of that index.
    bool is_own(std::size_t i) const { return ranks.empty() || ranks[i] == rank; }
    /// How many micro-batches fewer than another rank this one computes.
    std::size_t passes_left() const;
    /// The last one that it computes; their number where there is none.
    std::size_t last_own() const;
  };

  /// @param steps those that will be asked for; nothing is read beyond
  /// @param rank, world this process among those that share a step's micro-batches (see deal())
  StepFeed(Dataset data, Sampler sampler, std::int64_t steps, int rank = 0, int world = 1);

  /// @param index from 0; quickest one after the other. kProbe gives what set_probe() was given
  /// @throws DataError where the rows cannot be read
  Step step(std::int64_t index);

  /// A step that is none of the run's, to try something with.
  void set_probe(Step probe) { probe_ = std::move(probe); }
  static constexpr std::int64_t kProbe = -1;

  /// Seconds that step() took since the last call of this: what reading did not hide.
  double take_waited_s() { return std::exchange(waited_s_, 0.0); }

 private:
  struct Source {
    Dataset data;
    Sampler sampler;
    int rank, world;
    Step read(std::int64_t index) const;
  };

  std::shared_ptr<const Source> source_;
  std::int64_t steps_;
  double waited_s_ = 0;
  std::int64_t next_index_ = -1;  // of the step that is being read
  std::future<Step> next_;
  Step probe_;
};

}  // namespace hone::datasets
