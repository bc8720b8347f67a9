#pragma once

#include <cstdint>
#include <vector>

#include "adapters/changed_base.h"

namespace hone::adapters {

/// ReLoRA: every so many steps the update is merged into the base, in the base's own form, and
/// begins again from nothing, with other random numbers. The base that has come of it and the
/// number of the last restart are part of the run's state.
/// @source arXiv:2307.05695
class Relora {
 public:
  /// Gives the adapted layers matrices of their own. @pre the adapter is not attached
  /// @throws ConfigError where a module's base cannot take up an update
  Relora(const Adapter& adapter, model::Decoder& decoder, const AdapterOptions& options,
         std::uint64_t seed);

  /// Whether a restart comes before this step, counted from 1. One that has been done is not due
  /// again; one that a rollback undid is.
  bool is_due(std::int64_t step) const { return (step - 1) / every_ > done(); }

  /// @param adapter,decoder those it was made for, attached
  /// @throws DataError where an update is no longer finite
  void restart(Adapter& adapter, model::Decoder& decoder, std::int64_t step);

  /// Restarts up to now.
  std::int64_t done() const { return done_.item<std::int64_t>(); }
  /// The share of the optimizer's state that a restart forgets.
  double prune_ratio() const { return prune_ratio_; }

  std::vector<NamedTensor> state() const;

 private:
  ChangedBase base_;
  std::int64_t every_;
  double prune_ratio_;
  std::uint64_t seed_;
  Tensor done_;  ///< i64 [1]
};

}  // namespace hone::adapters
