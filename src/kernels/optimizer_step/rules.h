#pragma once

#include <cmath>

#include "kernels/number.h"

// How an element is updated: one struct a rule. `update` changes the element's states and gives u
// in θ ← shrink · θ − rate · u; what is the same for all elements of a step (bias corrections) is
// computed once, in double, and stands in the struct. States are zero before the first step.

namespace hone::kernels {

constexpr int kMaxStepStates = 3;

/// Elements of an 8-bit state that share a scale.
constexpr std::int64_t kStepBlock = 256;

/// What differs from parameter to parameter.
struct StepRates {
  float rate = 0;    ///< learning rate
  float shrink = 1;  ///< 1 − learning rate · weight decay, where the decay is decoupled
  float l2 = 0;      ///< weight decay, where it is added to the gradient
};

/// @source arXiv:1412.6980, algorithm 1; with decoupled decay arXiv:1711.05101
struct AdamRule {
  static constexpr int kStates = 2;  // exp_avg, exp_avg_sq
  float beta1, beta2, epsilon;
  float mean_share, square_share;  ///< 1 − β1 and 1 − β2, which fp32 could not tell from β
  float mean_correction;           ///< 1 / (1 − β1^t)
  float square_correction;         ///< 1 / √(1 − β2^t)

  HONE_HOST_DEVICE float update(float g, float* s) const {
    s[0] = beta1 * s[0] + mean_share * g;
    s[1] = beta2 * s[1] + square_share * g * g;
    return s[0] * mean_correction / (std::sqrt(s[1]) * square_correction + epsilon);
  }
};

/// @source "On the convergence of Adam and beyond" (ICLR 2018), as torch.optim.Adam(amsgrad=True)
struct AmsgradRule {
  static constexpr int kStates = 3;  // exp_avg, exp_avg_sq, max_exp_avg_sq
  AdamRule adam;

  HONE_HOST_DEVICE float update(float g, float* s) const {
    s[0] = adam.beta1 * s[0] + adam.mean_share * g;
    s[1] = adam.beta2 * s[1] + adam.square_share * g * g;
    s[2] = s[1] > s[2] ? s[1] : s[2];
    return s[0] * adam.mean_correction / (std::sqrt(s[2]) * adam.square_correction + adam.epsilon);
  }
};

/// @source Duchi et al., JMLR 12 (2011), as torch.optim.Adagrad
struct AdagradRule {
  static constexpr int kStates = 1;  // sum
  float epsilon;
  float rate_decay;  ///< 1 / (1 + (t − 1) · lr_decay)

  HONE_HOST_DEVICE float update(float g, float* s) const {
    s[0] += g * g;
    return rate_decay * g / (std::sqrt(s[0]) + epsilon);
  }
};

/// @source Hinton's lecture 6e; centred: arXiv:1308.0850; as torch.optim.RMSprop
template <bool kCentred, bool kMomentum>
struct RmspropRule {
  static constexpr int kStates = 1 + kCentred + kMomentum;  // square_avg, grad_avg, momentum_buffer
  float alpha, epsilon, momentum;
  float share;  ///< 1 − α

  HONE_HOST_DEVICE float update(float g, float* s) const {
    s[0] = alpha * s[0] + share * g * g;
    float square = s[0];
    if constexpr (kCentred) {
      s[1] = alpha * s[1] + share * g;
      square -= s[1] * s[1];
    }
    const float scaled = g / (std::sqrt(square) + epsilon);
    if constexpr (!kMomentum) return scaled;
    return s[kStates - 1] = momentum * s[kStates - 1] + scaled;
  }
};

using PlainRmspropRule = RmspropRule<false, false>;
using CentredRmspropRule = RmspropRule<true, false>;
using MomentumRmspropRule = RmspropRule<false, true>;
using CentredMomentumRmspropRule = RmspropRule<true, true>;

/// Without momentum.
struct PlainSgdRule {
  static constexpr int kStates = 0;
  HONE_HOST_DEVICE float update(float g, float*) const { return g; }
};

/// @source Sutskever et al. (ICML 2013) in the form of torch.optim.SGD
struct SgdRule {
  static constexpr int kStates = 1;  // momentum_buffer
  float momentum;
  float gradient_share;  ///< 1 − dampening; 1 in the first step
  float gradient_now;    ///< 1 with Nesterov, else 0
  float buffer_now;      ///< the momentum with Nesterov, else 1

  HONE_HOST_DEVICE float update(float g, float* s) const {
    s[0] = momentum * s[0] + gradient_share * g;
    return gradient_now * g + buffer_now * s[0];
  }
};

/// @source arXiv:2302.06675, algorithm 2
struct LionRule {
  static constexpr int kStates = 1;  // exp_avg
  float beta1, beta2;
  float share1, share2;  ///< 1 − β1 and 1 − β2

  HONE_HOST_DEVICE float update(float g, float* s) const {
    const float direction = beta1 * s[0] + share1 * g;
    s[0] = beta2 * s[0] + share2 * g;
    return static_cast<float>(direction > 0.0f) - static_cast<float>(direction < 0.0f);
  }
};

}  // namespace hone::kernels
