#include "model/head.h"

#include <ATen/ops/linear.h>

#include "kernels/linear_logprob/linear_logprob.h"

namespace hone::model {

Tensor token_logps(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M,
                   const Tensor& targets_M) {
  return kernels::linear_logprob(hidden_NH.index_select(0, rows_M), decoder.head_weight(),
                                 std::nullopt, targets_M);
}

Tensor logits(const Decoder& decoder, const Tensor& hidden_MH) {
  return at::linear(hidden_MH, decoder.head_weight()).to(torch::kFloat32);
}

}  // namespace hone::model
