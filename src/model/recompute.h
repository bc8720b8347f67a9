#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace hone::model {

using torch::Tensor;

/// Puts back what it was made from.
using PutBack = std::function<void()>;

/// Which layers keep nothing between forward and backward pass but their input, and compute the
/// rest a second time in the backward pass (activation checkpointing).
struct Recomputation {
  std::vector<bool> layers;  ///< [layers of the decoder]
  /// Notes what else than its input a layer's result depends on (the place of dropout in a step);
  /// what it gives puts that back as it was.
  std::function<PutBack()> note_state;
  /// Told before and after each layer of a forward pass, for measurements; may be empty.
  std::function<void(std::size_t layer, bool is_done)> watch = {};
};

/// A piece of the model: the same input gives the same result.
/// @pre it does not refer to what its caller destroys before the backward pass
using Piece = std::function<Tensor(const Tensor& x)>;

/// piece(x), of which only x is kept for the backward pass. Values and gradients are bit for bit
/// those of piece(x), but for a leaf that the model uses more than once: its parts are then added
/// in another order.
/// @source Chen et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174
Tensor recomputed(const Piece& piece, const Tensor& x, const std::function<PutBack()>& note_state);

}  // namespace hone::model
