#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::model {

/// How the frequencies of the rotary embedding are stretched to reach past the trained context.
/// The names are those of transformers' `rope_parameters`; each type reads the ones it needs.
struct RopeScaling {
  std::string type = "default";  ///< default, linear, dynamic, llama3, yarn or longrope
  double factor = 1.0;
  double original_max_position_embeddings = 0;
  double low_freq_factor = 1.0;   ///< llama3
  double high_freq_factor = 4.0;  ///< llama3
  double beta_fast = 32;          ///< yarn: turns over the original context that keep a frequency
  double beta_slow = 1;           ///< yarn: turns that have it divided
  bool truncate = true;           ///< yarn: the borders are whole dimensions
  double attention_factor = 1.0;  ///< yarn, longrope: cos and sin are multiplied by it
  std::vector<double> short_factor, long_factor;  ///< longrope: a divisor for each pair
};

/// One rotary embedding.
struct Rope {
  double theta = 10000.0;
  std::int64_t rotary_dim = 0;  ///< elements of a head that turn; the others stay
  RopeScaling scaling;
};

/// Angular frequency of each pair of dimensions, [rotary_dim / 2], in radians per position.
/// @param document_length tokens of the document: dynamic and longrope stretch only where it is
///        beyond the original context. What a document gives depends on its own length alone.
/// @source RoFormer, arXiv:2104.09864; linear, dynamic (NTK-aware), llama3 and longrope
///         (arXiv:2402.13753) as transformers' modeling_rope_utils computes them; yarn:
///         arXiv:2309.00071, section 3.2
std::vector<double> rope_frequencies(const Rope& rope, std::int64_t document_length);

/// Whether the frequencies of two documents may differ.
bool depends_on_length(const Rope& rope);

/// Yarn's factor for cos and sin where the config does not give one.
/// @source arXiv:2309.00071, eq. 22; mscale and mscale_all_dim as in DeepSeek-V2
double yarn_attention_factor(double factor, double mscale, double mscale_all_dim);
/// The same for longrope. @source arXiv:2402.13753, section 3.4
double longrope_attention_factor(double factor, double original_max_position_embeddings);

}  // namespace hone::model
