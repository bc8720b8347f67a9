#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/decoder.h"

namespace hone::model {

/// How the next token is chosen.
struct SamplingOptions {
  std::int64_t max_new_tokens = 256;
  double temperature = 0;  ///< 0: the likeliest token (greedy)
  double top_p = 1;  ///< the smallest set of likeliest tokens that holds this much probability
  std::uint64_t seed = 0;
  std::vector<std::int64_t> stop_ids =
      {};  ///< a sequence ends with the first of these that it makes
};

struct Generated {
  std::vector<std::int64_t> ids;  ///< new tokens, the stop token included where there was one
  bool stopped = false;           ///< ended by a stop token, not by max_new_tokens
};

/// Continues every prompt, all together, each with a length of its own. What one prompt is
/// continued with does not depend on the others (beyond the rounding of products of another size):
/// random numbers are a function of seed, `first_index` + the prompt's place, and position.
/// @throws DataError for an empty prompt or an id outside the vocabulary
std::vector<Generated> generate(const Decoder& decoder,
                                const std::vector<std::vector<std::int64_t>>& prompts,
                                const SamplingOptions& options, std::uint64_t first_index = 0);

/// Chooses from logits [V] f32 by temperature and top-p, with one uniform number in [0, 1).
/// @source top-p: arXiv:1904.09751
std::int64_t sample_token(const Tensor& logits_V, double temperature, double top_p, double uniform);

}  // namespace hone::model
