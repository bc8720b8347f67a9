#pragma once

#include <cstdint>
#include <vector>

#include "model/spec.h"

namespace hone::model {

/// How long the document is that each span of a stream belongs to, for ropes that depend on it. A
/// prefix that several documents share has the first one's length, where its tokens turn in all of
/// them as they do there.
/// @param cu_seqlens, prefix_of as in TokenStream
/// @return [D]
/// @throws ShapeError where a span goes on from one that does not stand before it
/// @throws ConfigError where a shared prefix would turn differently in its documents
std::vector<std::int64_t> document_lengths(const Spec& spec,
                                           const std::vector<std::int64_t>& cu_seqlens,
                                           const std::vector<std::int64_t>& prefix_of);

/// Whether documents of up to `longest` tokens can share prefixes, whatever their lengths.
bool can_share_prefixes(const Spec& spec, std::int64_t longest);

}  // namespace hone::model
