#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "distributed/group.h"

namespace hone::distributed {

/// Sums gradients over all ranks while the backward pass that makes them goes on: those of its
/// first part travel while it computes the rest.
///
/// Parameters are cut into buckets from the last to the first, which is about the order in which a
/// backward pass is done with them. A bucket is sent when its gradients are complete and the bucket
/// before it is on its way, so that all ranks send the same buckets in the same order, whatever
/// gradients one of them lacks. The sums are bit for bit those that sum_bucket() gives afterwards.
///
/// One object is for one step. No other collective may be called between begin() and finish().
class OverlappedSum {
 public:
  /// @param parameters leaves, the same on all ranks
  /// @param bucket_bytes of gradients in a bucket, about: one is full when it has reached them
  OverlappedSum(const Group& group, std::span<const Tensor> parameters, std::int64_t bucket_bytes);
  /// Where finish() was not reached, what is under way is given up, and the group with it.
  ~OverlappedSum();
  OverlappedSum(const OverlappedSum&) = delete;
  OverlappedSum& operator=(const OverlappedSum&) = delete;

  /// To be called before this rank's last backward pass of the step, if it has one: from here on a
  /// gradient that has been added to is complete.
  void begin();
  /// To be called after it: waits until `.grad()` of all parameters is the sum over all ranks. Who
  /// has no gradient of a parameter adds zeros. Throws what a collective threw.
  void finish();

  std::size_t buckets() const { return buckets_.size(); }

 private:
  class Hook;
  struct Bucket {
    std::vector<Tensor> parameters;
    std::size_t missing;  ///< gradients that are not complete
  };
  void note_complete(std::size_t bucket);
  void send_ready();
  void work();
  void send(std::size_t bucket) const;
  void unhook();

  const Group& group_;
  std::vector<Bucket> buckets_;
  bool is_hooked_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::size_t ready_ = 0;  // buckets that may be sent: all before this one
  bool is_over_ = false, is_finished_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace hone::distributed
