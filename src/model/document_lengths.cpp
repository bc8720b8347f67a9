#include "model/document_lengths.h"

#include "base/error.h"

namespace hone::model {
namespace {

void check_shared(const Spec& spec, std::int64_t one, std::int64_t other) {
  for (const Rope& rope : spec.ropes)
    HONE_CHECK(
        ConfigError,
        !depends_on_length(rope) || rope_frequencies(rope, one) == rope_frequencies(rope, other),
        "documents of {} and {} tokens cannot share their beginning: the model's rope ({}) "
        "turns it differently in each. Do without sharing, or keep documents to {:.0f} "
        "tokens, up to which this rope is not stretched",
        one, other, rope.scaling.type, rope.scaling.original_max_position_embeddings);
}

}  // namespace

std::vector<std::int64_t> document_lengths(const Spec& spec,
                                           const std::vector<std::int64_t>& cu_seqlens,
                                           const std::vector<std::int64_t>& prefix_of) {
  const std::size_t spans = cu_seqlens.size() - 1;
  std::vector<std::int64_t> lengths;
  for (std::size_t d = 0; d < spans; ++d) lengths.push_back(cu_seqlens[d + 1] - cu_seqlens[d]);
  if (prefix_of.empty()) return lengths;
  HONE_CHECK(ShapeError, prefix_of.size() == spans, "{} prefixes for {} spans", prefix_of.size(),
             spans);
  const std::vector<std::int64_t> own = lengths;
  std::vector<bool> is_shared(spans, false);
  for (std::size_t d = 0; d < spans; ++d) {
    if (prefix_of[d] == -1) continue;
    HONE_CHECK(ShapeError, prefix_of[d] >= 0 && prefix_of[d] < static_cast<std::int64_t>(d),
               "span {} should go on from an earlier span, not from {}", d, prefix_of[d]);
    const auto prefix = static_cast<std::size_t>(prefix_of[d]);
    lengths[d] += own[prefix];
    if (is_shared[prefix])
      check_shared(spec, lengths[prefix], lengths[d]);
    else
      lengths[prefix] = lengths[d];
    is_shared[prefix] = true;
  }
  return lengths;
}

bool can_share_prefixes(const Spec& spec, std::int64_t longest) {
  for (const Rope& rope : spec.ropes)
    if (depends_on_length(rope) && rope_frequencies(rope, 1) != rope_frequencies(rope, longest))
      return false;
  return true;
}

}  // namespace hone::model
