#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "distributed/options.h"
#include "distributed/place.h"

namespace hone::distributed {

using torch::Tensor;

/// How long ranks wait for one that lives and has not come.
enum class Patience {
  kStep,   ///< within a step: timeout_s
  kPhase,  ///< where one may have evaluated or saved: first_step_timeout_s
};

/// The processes that train together, over c10d: tensors of a GPU over NCCL, others over Gloo. A
/// copy is the same group.
///
/// One process alone is a group too: nothing is connected, and every collective is over at once.
/// Otherwise all ranks call the same collectives in the same order. A rank that dies, hangs or
/// leaves is noticed by all others within some seconds (see Heartbeat).
class Group {
 public:
  /// One process alone.
  Group() = default;

  /// Meets the other ranks. Waits up to first_step_timeout_s for them.
  /// @param device that this rank computes on, for itself alone; of a GPU NCCL is opened
  ///        (libhone_cuda.so is loaded then), unless distributed.backend says gloo
  /// @throws DistributedError naming the address and what to look at
  static Group join(const Place& place, const DistributedOptions& options,
                    torch::Device device = torch::kCPU);

  int rank() const { return rank_; }
  int world() const { return world_; }
  bool is_alone() const { return world_ == 1; }
  /// The one that writes.
  bool is_first() const { return rank_ == 0; }

  /// What gradients are sent in: distributed.reduce_dtype.
  torch::Dtype reduce_dtype() const;

  // Collectives work in place on dense tensors of the same shape and dtype on all ranks. Where
  // there is no NCCL, tensors of a GPU are exchanged through the host.
  //
  // `what` names what is exchanged, for messages: "the gradients".
  //
  // All throw DistributedError naming this rank, the step, the collective, and the ranks that are
  // missing. After that the group is of no more use.

  /// Each element becomes its sum over all ranks: the same bits on each.
  void all_reduce(Tensor tensor, std::string_view what, Patience patience = Patience::kStep) const;
  /// A collective that is under way. Its tensor is not to be touched before wait() has returned.
  class Pending {
   public:
    /// Until it is over, with the patience and the errors of the collective itself. On a GPU too:
    /// work that is queued behind it would hang with it where a rank dies. Again is nothing.
    void wait();

   private:
    friend Group;
    struct State;
    std::shared_ptr<State> state_;  // null where there is nothing to wait for
  };
  /// all_reduce() that returns at once. Several may be under way, begun in the same order on all
  /// ranks.
  [[nodiscard]] Pending all_reduce_async(Tensor tensor, std::string_view what,
                                         Patience patience = Patience::kStep) const;
  /// All get what rank `root` has.
  void broadcast(Tensor tensor, int root, std::string_view what,
                 Patience patience = Patience::kStep) const;
  /// @return every rank's tensor, by rank
  std::vector<Tensor> all_gather(const Tensor& tensor, std::string_view what,
                                 Patience patience = Patience::kStep) const;
  /// Cuts a tensor [world · n] into parts: each rank gets its own part of every rank.
  /// @return [world, n], what rank r sent in row r
  Tensor all_to_all(const Tensor& tensor, std::string_view what,
                    Patience patience = Patience::kStep) const;
  /// Each rank's slice of `all` comes to stand in all of them, in place.
  /// @param all [world · slice], contiguous; of it this rank has given slice number rank()
  void all_gather_into(const Tensor& all, std::string_view what,
                       Patience patience = Patience::kStep) const;
  /// The same, begun. @return what waits until it is over, to be called once
  std::function<void()> begin_all_gather_into(const Tensor& all, std::string_view what,
                                              Patience patience = Patience::kStep) const;
  /// This rank's slice of `all` becomes the slice's sum over all ranks, in place; the others are of
  /// no more use. @param all as all_gather_into has it
  void reduce_scatter(const Tensor& all, std::string_view what,
                      Patience patience = Patience::kStep) const;
  /// This rank's part of the group where those that give the same number are one, in the order of
  /// their ranks. What watches over the whole group watches over its parts.
  /// @param name of this division, another one for each
  Group split(int number, std::string_view name) const;

  /// Waits until all are here.
  void barrier(std::string_view what, Patience patience = Patience::kStep) const;

  /// What messages say from here on of where the run is.
  void begin_step(std::int64_t step) const;
  /// Until this is called, every collective waits as long as Patience::kPhase says.
  void end_first_step() const;

  /// Where another thread waits in a collective and this one cannot go on: that wait ends within a
  /// second, by a DistributedError. After that the group is of no more use.
  void give_up() const;

  /// Parts from the others in peace: returns when all have called it. Without it, a group that goes
  /// tells the others that this rank has left.
  void close();

 private:
  struct Link;
  Group(int rank, int world, std::shared_ptr<Link> link);

  int rank_ = 0, world_ = 1;
  std::shared_ptr<Link> link_;  // null for one process alone
};

}  // namespace hone::distributed
