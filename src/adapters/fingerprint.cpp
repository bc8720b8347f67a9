#include "adapters/fingerprint.h"

#include "base/hash.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

constexpr std::int64_t kRows = 256;

void add(Sha256& hash, const torch::Tensor& tensor) {
  const torch::Tensor bytes = tensor.detach().to(torch::kCPU, torch::kBFloat16).contiguous();
  hash.update(bytes.const_data_ptr(), bytes.nbytes());
}

}  // namespace

std::string fingerprint(model::Decoder& decoder) {
  Sha256 hash;
  const std::int64_t rows = decoder.embed_tokens.size(0);
  add(hash, decoder.embed_tokens.slice(0, 0, rows, std::max<std::int64_t>(1, rows / kRows)));
  for (const model::WeightSlot& slot : model::weight_slots(decoder))
    if (slot.shape.size() == 1 && slot.name.ends_with("norm.weight")) add(hash, *slot.tensor);
  return hash.hex();
}

}  // namespace hone::adapters
