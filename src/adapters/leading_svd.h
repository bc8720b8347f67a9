#pragma once

#include <torch/types.h>

#include <cstdint>

namespace hone::adapters {

using torch::Tensor;

/// A matrix as u · diag(s) · vh, or the part of it that its largest singular values make up.
struct Svd {
  Tensor u;   ///< [rows, q]
  Tensor s;   ///< [q], falling
  Tensor vh;  ///< [q, columns]
};

Svd exact_svd(const Tensor& matrix);

/// Halko, Martinsson and Tropp's randomised range finder with subspace iteration.
/// @param start  [columns, q] random numbers, on the CPU
/// @param rounds of iteration
/// @source arXiv:0909.4061, algorithms 4.4 and 5.1
Svd leading_svd(const Tensor& matrix, const Tensor& start, int rounds);

/// Two factors of a matrix that is approximated: s · b · a.
struct Directions {
  Tensor a;  ///< [r, in]
  Tensor b;  ///< [out, r]
};

/// The r largest of them, each factor with the roots of the singular values.
/// @param scaling the s that the product is multiplied by
Directions balanced(const Svd& svd, std::int64_t r, double scaling);

}  // namespace hone::adapters
