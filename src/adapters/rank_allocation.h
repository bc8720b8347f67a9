#pragma once

#include "adapters/adapter.h"

namespace hone::adapters {

/// When AdaLoRA's budget of singular values shrinks, and to what. Steps count from 1.
/// @source arXiv:2303.10512, section 3.4, as PEFT's RankAllocator
struct RankBudget {
  std::int64_t initial = 0, target = 0;  ///< singular values of all modules together
  std::int64_t tinit = 0, tfinal = 0;    ///< steps before the first and after the last cut
  std::int64_t every = 1, total_steps = 1;

  /// The step at which the target is reached and the allocation stays.
  std::int64_t last() const { return total_steps - tfinal; }
  bool is_due(std::int64_t step) const;
  /// The last step up to this one at which a cut is due; tinit where none was.
  std::int64_t last_due(std::int64_t step) const;
  std::int64_t at(std::int64_t step) const;
};

/// Spends AdaLoRA's budget where it counts: after each step the singular values whose triplets (a
/// row of A, a column of B, the value) matter least are set to 0. What a number matters is |w · g|,
/// smoothed, times how unsteady that is.
class RankAllocation {
 public:
  /// @param adapter of method adalora; its tensors are shared. @throws ConfigError where the
  ///        schedule of its settings leaves no step for cutting
  RankAllocation(Adapter& adapter, std::int64_t total_steps);

  /// To be called when the optimizer has taken the step and the gradients are still there. A cut
  /// that was due at a step that was skipped is made now.
  void after_step(std::int64_t step);

  /// The smoothed importances and the masks: what a checkpoint needs besides the weights.
  std::vector<NamedTensor> state() const;

  /// The adapter with the triplets that are left alone, `rank_pattern` saying which, as PEFT saves
  /// it.
  Adapter kept(const Adapter& adapter) const;

 private:
  /// A tensor and what its numbers matter.
  struct Tracked {
    Tensor weight, sensitivity, uncertainty;
    void update(double beta1, double beta2);
    Tensor score() const { return sensitivity * uncertainty; }
  };
  struct Triplets {
    std::string module;
    Tracked a, b, e;  ///< [r, in], [out, r], [r, 1]
    Tensor mask;      ///< [r] f32, 1 where a triplet is kept
    Tensor scores() const;
  };
  std::int64_t kept_ranks() const;
  void cut_to(std::int64_t budget);
  void apply_masks();

  std::vector<Triplets> modules_;
  RankBudget budget_;
  double beta1_, beta2_;
};

/// Whether an adapter of these settings has ranks to allocate: it is AdaLoRA, starts above its
/// target, and was not cut before.
bool allocates_ranks(const Adapter& adapter);

}  // namespace hone::adapters
