#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hone::model {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

std::vector<double> plain_frequencies(double theta, std::int64_t rotary_dim) {
  std::vector<double> frequencies(static_cast<std::size_t>(rotary_dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = std::pow(theta, -2.0 * double(i) / double(rotary_dim));
  return frequencies;
}

/// Slow pairs are divided by the factor, fast ones kept, those between blended linearly in the
/// number of turns that they make over the original context.
void scale_llama3(std::vector<double>& frequencies, const RopeScaling& s) {
  for (double& frequency : frequencies) {
    const double turns = s.original_max_position_embeddings * frequency / kTurn;
    const double blend = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
    const double kept = std::clamp(blend, 0.0, 1.0);
    frequency *= kept + (1 - kept) / s.factor;
  }
}

/// As llama3, but blended linearly in the dimension.
void scale_yarn(std::vector<double>& frequencies, const Rope& rope) {
  const RopeScaling& s = rope.scaling;
  const auto dim = static_cast<double>(rope.rotary_dim);
  const auto dimension_of = [&](double turns) {
    return dim * std::log(s.original_max_position_embeddings / (turns * kTurn)) /
           (2 * std::log(rope.theta));
  };
  double low = dimension_of(s.beta_fast), high = dimension_of(s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double divided = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= (1 - divided) + divided / s.factor;
  }
}

/// theta grows with the document, once it is longer than the model's own context.
std::vector<double> dynamic_frequencies(const Rope& rope, std::int64_t document_length) {
  const double original = rope.scaling.original_max_position_embeddings;
  const double length = std::max(static_cast<double>(document_length), original);
  const auto dim = static_cast<double>(rope.rotary_dim);
  const double stretch = rope.scaling.factor * length / original - (rope.scaling.factor - 1);
  return plain_frequencies(rope.theta * std::pow(stretch, dim / (dim - 2)), rope.rotary_dim);
}

}  // namespace

std::vector<double> rope_frequencies(const Rope& rope, std::int64_t document_length) {
  const RopeScaling& s = rope.scaling;
  if (s.type == "dynamic") return dynamic_frequencies(rope, document_length);
  std::vector<double> frequencies = plain_frequencies(rope.theta, rope.rotary_dim);
  if (s.type == "linear")
    for (double& frequency : frequencies) frequency /= s.factor;
  if (s.type == "llama3") scale_llama3(frequencies, s);
  if (s.type == "yarn") scale_yarn(frequencies, rope);
  if (s.type == "longrope") {
    const bool is_long = double(document_length) > s.original_max_position_embeddings;
    const std::vector<double>& divisors = is_long ? s.long_factor : s.short_factor;
    for (std::size_t i = 0; i < frequencies.size(); ++i) frequencies[i] /= divisors[i];
  }
  return frequencies;
}

bool depends_on_length(const Rope& rope) {
  return rope.scaling.type == "dynamic" ||
         (rope.scaling.type == "longrope" && rope.scaling.short_factor != rope.scaling.long_factor);
}

double yarn_attention_factor(double factor, double mscale, double mscale_all_dim) {
  const auto scale_of = [factor](double weight) {
    return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
  };
  if (mscale > 0 && mscale_all_dim > 0) return scale_of(mscale) / scale_of(mscale_all_dim);
  return scale_of(1);
}

double longrope_attention_factor(double factor, double original_max_position_embeddings) {
  if (factor <= 1) return 1.0;
  return std::sqrt(1 + std::log(factor) / std::log(original_max_position_embeddings));
}

}  // namespace hone::model
