#include "model/resize.h"

#include "base/error.h"
#include "model/weights.h"

namespace hone::model {
namespace {

Tensor with_mean_rows(const Tensor& weight_VH, std::int64_t added) {
  const Tensor mean = weight_VH.mean(0, /*keepdim=*/true, torch::kFloat32);
  return torch::cat({weight_VH, mean.to(weight_VH.scalar_type()).expand({added, -1})});
}

}  // namespace

void resize_vocabulary(Decoder& decoder, std::int64_t vocab_size) {
  const torch::NoGradGuard no_grad;
  Spec& spec = decoder.spec;
  const std::int64_t added = vocab_size - spec.vocab_size;
  if (added <= 0) return;
  HONE_ASSERT(spec.added_rows == 0, "rows are added once");
  decoder.embed_tokens = with_mean_rows(decoder.embed_tokens, added);
  if (spec.num_labels == 0 && !spec.tie_word_embeddings)
    decoder.lm_head = with_mean_rows(decoder.lm_head, added);
  spec.vocab_size = vocab_size;
  spec.added_rows = added;
  tie_head(decoder);
}

}  // namespace hone::model
