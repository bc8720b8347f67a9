#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/cluster.h"
#include "plan/plan.h"
#include "plan/strategies.h"

namespace hone::plan {

/// What one device takes for a step of its own micro-batches.
struct SingleDevice {
  double forward_s = 0, backward_s = 0;
  double rest_s = 0;  ///< optimizer, waiting for rows
  double tokens = 0;  ///< of the step
  std::string from;   ///< where the times are from, in words
  bool is_measured = false;

  double step_s() const { return forward_s + backward_s + rest_s; }
};

/// A step on many GPUs, each with as much to do as the one that was measured.
struct Prediction {
  std::string_view strategy;
  std::int64_t gpus = 0;
  double step_s = 0;             ///< what can hide behind computing does
  double without_overlap_s = 0;  ///< nothing does
  double exchange_s = 0;         ///< of all transfers, hidden or not
  double efficiency = 0;         ///< the single device's step over `step_s`
  double tokens_per_s = 0;
  double sent_bytes = 0;          ///< of each GPU, a step
  std::int64_t memory_bytes = 0;  ///< of each GPU
};

Prediction predict(const Plan& plan, const SingleDevice& device, const Strategy& strategy,
                   const Cluster& cluster, std::int64_t gpus);

/// What a prediction rests on.
struct Assumption {
  std::string text;
  std::string checked;  ///< by what, on this project's hardware; empty: stated, not checked
};
std::vector<Assumption> assumptions(const SingleDevice& device, const Cluster& cluster);

}  // namespace hone::plan
