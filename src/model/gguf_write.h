#pragma once

#include "io/gguf_write.h"
#include "model/weights.h"

namespace hone::model {

/// Adds what a GGUF file says of a model to its metadata: `general.architecture`, and below that
/// the sizes, multipliers, windows and ropes that spec_from_gguf() reads.
/// @throws ConfigError naming what llama.cpp has no key for, or does not read for this
/// architecture:
///         such a model would be served as another one
void describe_for_gguf(const Spec& spec, io::GgufContents& contents);

/// A tensor of numbers that a rope needs in the file.
struct GgufDivisors {
  const char* name;
  std::vector<float> values;
};
/// The tensors of divisors that the spec's rope needs: what Llama 3's scaling comes to, or
/// longrope's two lists; none for others.
std::vector<GgufDivisors> rope_divisors_for_gguf(const Spec& spec);

/// The window that layers have and that llama.cpp does not give them: a document beyond it is seen
/// whole there. 0: there is none.
std::int64_t window_lost_in_gguf(const Spec& spec);

/// The rows of a weight, of its bias or of what is added to it, as llama.cpp has them: it turns
/// neighbouring pairs where Hugging Face turns halves, so within each head the rows of the two
/// halves take turns.
/// @param rows [heads · d] or [heads · d, …]
Tensor interleave_heads(const Tensor& rows, std::int64_t heads);
/// Puts them back.
Tensor separate_heads(const Tensor& rows, std::int64_t heads);

}  // namespace hone::model
