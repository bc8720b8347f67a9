#pragma once

#include "distributed/group.h"
#include "engine/batch.h"
#include "model/decoder.h"

namespace hone::engine {

// Axes: D documents of a batch, M its tokens that carry weight.

/// What a model says of the responses of a batch.
struct ResponseLogps {
  Tensor tokens_M;   ///< f32, log-probability of each weighed token, in nats
  Tensor sums_D;     ///< f32, of each document, each token times its weight
  Tensor entropy_M;  ///< f32, of the distribution that each of them is of; no gradient
  Tensor hidden_NH;  ///< what the head said it from
};

/// Gradient flows through all of it.
ResponseLogps response_logps(const model::Decoder& decoder, const DeviceBatch& batch);

/// Sum of a number for each weighed token over each document.
/// @param values_M [M]; @return [D], gradient flows; the same on every run, whatever the device
Tensor sums_by_document(const Tensor& values_M, const DeviceBatch& batch);

/// The mean entropy of the answers' tokens of several batches.
class EntropyTally {
 public:
  void add(const Tensor& entropy_M);
  /// Takes in what the other ranks have added.
  void sum_over(const distributed::Group& group);
  double mean() const { return sum_ / tokens_; }

 private:
  double sum_ = 0, tokens_ = 0;
};

/// log Σ p² over the vocabulary at the weighed tokens, without gradient: how likely the model finds
/// what it would say itself. Logits exist in chunks alone.
/// @return [M] f32
Tensor log_sum_squares(const model::Decoder& decoder, const Tensor& hidden_NH,
                       const DeviceBatch& batch);

}  // namespace hone::engine
