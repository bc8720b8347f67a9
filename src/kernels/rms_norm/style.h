#pragma once

namespace hone::kernels {

/// How families apply the weight of a norm.
struct RmsNormStyle {
  double weight_offset = 0;  ///< added to the weight: Gemma stores weight − 1
  /// Whether the normalised value is rounded to x's dtype before it meets the weight (Llama), or
  /// only the product is (Gemma, OLMo 2).
  bool round_first = true;
};

}  // namespace hone::kernels
