#pragma once

#include <functional>
#include <string>
#include <vector>

#include "distributed/group.h"

namespace hone::distributed {

/// A tensor that ranks divide among themselves.
struct Divided {
  Tensor whole;            ///< contiguous, and all that its storage holds
  std::int64_t grain = 1;  ///< borders between ranks are multiples of so many of its elements, a
                           ///< power of two; kNever: it goes to one rank whole
  /// What the parts are taken from and keep the dtype of: then the whole has their numbers rounded
  /// to its own. Undefined: the whole.
  Tensor master = {};

  static constexpr std::int64_t kNever = 0;
};

/// This rank's part of a tensor.
struct OwnPart {
  Tensor tensor;  ///< [size] of the whole laid flat; a tensor that goes to one rank has its
                  ///< own shape there
  std::int64_t begin = 0;  ///< its first element's place
};

/// Tensors of one place of the model, laid end to end, of which each rank keeps as many bytes. The
/// whole is one buffer that the tensors' storages point into while it is there: gathering it copies
/// nothing, moves no version counter, and reaches every view of them and all that autograd saved.
///
/// All ranks make the same ones and call gather, release and sum in the same order.
class Shards {
 public:
  /// The tensors are whole; the parts are taken from them.
  Shards(Group group, std::vector<Divided> tensors, std::string what);

  /// By tensor.
  const std::vector<OwnPart>& parts() const { return parts_; }
  const std::vector<Divided>& tensors() const { return tensors_; }

  /// Begins to gather, without waiting.
  void begin_gather();
  /// The tensors are whole, with the numbers that the ranks' parts have now, unless they are
  /// already.
  void gather();
  /// The tensors' storages are empty.
  void release();
  bool is_whole() const { return is_whole_; }

  /// From here on the tensors stay whole, and the parts are views of them.
  /// @pre none has a master
  void settle();
  /// The same where they have been settled: what the parts have now comes to stand in the wholes.
  void share();

  /// The ranks' gradients, one of each tensor (undefined: zeros), become one sum, of which each
  /// rank adds its parts to those of its parts.
  /// @param gradients are let go as they are taken
  void sum_gradients(std::vector<Tensor>& gradients);

  /// Bytes of the buffer that the whole takes.
  std::int64_t whole_bytes() const { return slice_bytes_ * group_.world(); }

 private:
  void lay_out();
  void deal_whole();
  void cut();
  void take_part(std::size_t i);
  Tensor in_buffer(std::size_t i, std::int64_t begin, std::int64_t size) const;
  void point_into_buffer();

  Group group_;
  std::vector<Divided> tensors_;
  std::string what_;
  std::vector<std::int64_t> offsets_;  // of each tensor in the buffer, bytes
  std::int64_t slice_bytes_ = 0;       // of a rank
  std::vector<OwnPart> parts_;
  Tensor buffer_;               // [whole_bytes()] u8; undefined while nothing is whole
  std::function<void()> wait_;  // of a gathering that is under way
  bool is_whole_ = true;
};

}  // namespace hone::distributed
