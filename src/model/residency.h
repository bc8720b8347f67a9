#pragma once

#include <cstddef>

namespace hone::model {

/// Has weights in place while a pass computes with them, and may keep them elsewhere meanwhile. A
/// pass tells it what it comes to and what it leaves: the embedding, the layers from the first to
/// the last, the end (final norm and head); backward the other way.
///
/// What is saved for the backward pass shares a weight's storage, so that a weight may lose its
/// numbers when the forward pass leaves it and have them again when the backward pass comes to it.
class Residency {
 public:
  virtual ~Residency() = default;

  /// A forward pass begins: what another one left in place may go.
  virtual void enter_embedding() const = 0;
  virtual void leave_embedding() const = 0;
  virtual void enter_layer(std::size_t layer) const = 0;
  virtual void leave_layer(std::size_t layer) const = 0;
  /// Final norm and head stay until another pass begins, or a backward pass has left them.
  virtual void enter_end() const = 0;

  /// The backward pass has the gradient of the layer's result: everything behind it is done with,
  /// and the layer comes next.
  virtual void turn_to_layer(std::size_t layer) const = 0;
};

}  // namespace hone::model
