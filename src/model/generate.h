#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/decoder.h"

namespace hone::model {

/// How the next token is chosen. The filters apply in this order, as in transformers: penalty,
/// temperature, top-k, top-p, min-p.
struct SamplingOptions {
  std::int64_t max_new_tokens = 256;
  /// Above 1: logits of tokens that the sequence has are divided by it where they are positive,
  /// multiplied where they are negative.
  double repetition_penalty = 1;
  double temperature = 0;  ///< 0: the likeliest token (greedy)
  std::int64_t top_k = 0;  ///< above 0: only that many of the likeliest tokens
  double top_p = 1;  ///< the smallest set of likeliest tokens that holds this much probability
  double min_p = 0;  ///< tokens at least this likely beside the likeliest
  std::uint64_t seed = 0;
  std::vector<std::int64_t> stop_ids =
      {};  ///< a sequence ends with the first of these that it makes
  /// More reasons to end a sequence, asked after each of its tokens; empty: none.
  std::function<bool(const std::vector<std::int64_t>& ids)> is_done = {};
};

struct Generated {
  std::vector<std::int64_t> ids;  ///< new tokens, the stop token included where there was one
  bool stopped = false;           ///< ended by a stop token or is_done, not by max_new_tokens
};

/// A prompt and its place among all prompts, which its random numbers depend on.
struct NumberedPrompt {
  std::vector<std::int64_t> ids;
  std::uint64_t number;
};

/// Continues every prompt `copies` times, all together, each with a length of its own. What one
/// prompt is continued with does not depend on the others (beyond the rounding of products of
/// another size): random numbers are a function of seed, number · copies + copy, and position. The
/// prompt itself is run once.
/// @return the copies of the first prompt, then those of the second, …
/// @throws DataError for an empty prompt or an id outside the vocabulary
std::vector<Generated> generate_copies(const Decoder& decoder,
                                       const std::vector<NumberedPrompt>& prompts,
                                       const SamplingOptions& options, std::size_t copies);

/// One continuation of each prompt, numbered from `first_index` on.
std::vector<Generated> generate(const Decoder& decoder,
                                const std::vector<std::vector<std::int64_t>>& prompts,
                                const SamplingOptions& options, std::uint64_t first_index = 0);

/// The next token of a sequence: greedily, or by a random number that is a function of the seed,
/// the sequence's number and its length.
/// @param logits_V [V] f32, changed where there is a penalty
/// @param seen     the sequence so far, prompt included
std::int64_t choose_token(Tensor logits_V, const std::vector<std::int64_t>& seen,
                          const SamplingOptions& options, std::uint64_t index);

/// Whether the last of a sequence's new tokens ends it.
bool ends_sequence(const std::vector<std::int64_t>& made, const SamplingOptions& options);

/// The tokens that a filter has left, likeliest first, and their share of what is left.
struct TokenShares {
  std::vector<std::int64_t> ids;
  std::vector<double> probabilities;  ///< sum to 1
};

/// What the options' temperature, top-k, top-p and min-p make of logits [V] f32.
/// @source top-p: arXiv:1904.09751; min-p: arXiv:2407.01082
TokenShares filter_tokens(const Tensor& logits_V, const SamplingOptions& options);

/// Chooses among the tokens that filter_tokens() leaves, with one uniform number in [0, 1).
std::int64_t sample_token(const Tensor& logits_V, const SamplingOptions& options, double uniform);

/// Changes logits [V] in place, once for each distinct token of `seen`.
/// @source arXiv:1909.05858, section 4.1, as transformers' RepetitionPenaltyLogitsProcessor
void penalise_repetition(Tensor& logits_V, const std::vector<std::int64_t>& seen, double penalty);

}  // namespace hone::model
