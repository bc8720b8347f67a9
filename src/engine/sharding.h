#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "distributed/group.h"
#include "distributed/shards.h"
#include "distributed/strategy.h"
#include "engine/options.h"
#include "engine/trainable.h"
#include "model/decoder.h"

namespace hone::engine {

using torch::Tensor;

/// Weights that are divided and gathered together.
struct Unit {
  distributed::Shards shards;
  std::vector<Tensor> leaves;  ///< what of them is trained: all or none
  bool stays = false;          ///< whole always; its parts are views of it
  bool is_summed = false;      ///< its gradients of this backward pass
};
using Units = std::vector<std::shared_ptr<Unit>>;

/// What ranks divide among themselves under a strategy that divides anything: the state of the
/// optimizer with the parameters' updates (zero1), gradients too (zero2), and the weights as well,
/// trained and frozen, layer by layer (fsdp, hybrid). All ranks call the same functions in the same
/// order; under the last two every pass of a decoder is one of these.
class Sharding {
 public:
  /// Divides what `decoder` and `base` hold and `trainable` trains; its parameters become this
  /// rank's parts.
  /// @param group of all ranks
  /// @throws ConfigError where options do not go with the strategy, naming both
  Sharding(const RunOptions& options, const distributed::Group& group, model::Decoder& decoder,
           model::Decoder* base, Trainable& trainable);

  /// The ranks that parts are divided among: what they have together is everything once.
  const distributed::Group& group() const { return group_; }
  /// Whether a rank must make as many passes as the others.
  bool passes_are_shared() const;

  /// Divides the weights of another frozen model as well, where weights are divided.
  void divide(model::Decoder& frozen);

  /// `backward` as a backward pass through the policy, with the weights in place where it comes to
  /// them, and the sums of their gradients taken where it leaves them.
  void run_backward(const std::function<void()>& backward);
  /// A pass, forward and backward, for a rank that has no micro-batch of its own while others have:
  /// what comes of it is dropped.
  void stand_in(const model::Decoder& decoder, const model::TokenStream& tokens);

  /// Once a step: the parts' gradients become those of all ranks' micro-batches.
  void sum_gradients();
  /// Lets go of gradients that are not the parts' own.
  void drop_gradients();
  /// To be called when parts have changed: what stays whole follows, and caches see it.
  void follow_parts();

  /// Everything is whole on every rank until rest() is called or a pass begins.
  void gather();
  /// What need not be whole is not.
  void rest();
  /// Makes the decoder what it would be on one rank alone; nothing is divided any more.
  void dissolve(model::Decoder& decoder);

  /// Bytes of frozen weights that this rank keeps.
  std::int64_t frozen_bytes() const { return frozen_bytes_; }

 private:
  class Stage;
  struct Trained {
    std::string name;
    Tensor leaf;
    std::shared_ptr<Unit> unit;
    std::size_t index;  // in the unit
    bool is_cast = false;
  };
  void divide_trained(const RunOptions& options, model::Decoder& decoder, Trainable& trainable,
                      Stage& stage);
  void divide_frozen(model::Decoder& decoder, Stage& stage);
  void finish(Unit& unit);

  const distributed::Strategy& strategy_;
  distributed::Group group_, replicas_;
  bool gathers_ahead_;
  Units units_;                                        // all, in the order of their making
  std::map<void*, std::shared_ptr<Unit>> by_storage_;  // of frozen storages
  std::shared_ptr<Stage> policy_;
  std::vector<Trained> trained_;  // by parameter
  bool drops_ = false;            // the gradients of this backward pass
  std::int64_t frozen_bytes_ = 0;
};

/// Null where the strategy divides nothing, or one process trains alone.
std::shared_ptr<Sharding> divide_among_ranks(const RunOptions& options,
                                             const distributed::Group& group,
                                             model::Decoder& decoder, model::Decoder* base,
                                             Trainable& trainable);

}  // namespace hone::engine
