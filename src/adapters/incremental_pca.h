#pragma once

#include <torch/types.h>

#include <cstdint>

namespace hone::adapters {

using torch::Tensor;

/// The directions in which rows vary most, found batch by batch: no batch is kept.
/// @source Ross et al., "Incremental learning for robust visual tracking" (IJCV 2008), as PEFT's
///         IncrementalPCA with svd_lowrank
class IncrementalPca {
 public:
  /// @param components how many directions are kept
  explicit IncrementalPca(std::int64_t components) : components_(components) {}

  /// @param rows_NI any float dtype, at least as many rows and columns as `components`
  void fit(const Tensor& rows_NI);

  std::int64_t components() const { return components_; }
  bool is_fitted() const { return seen_ > 0; }
  std::int64_t rows_seen() const { return seen_; }

  /// [components, I] f32, orthonormal, that with most variance first; the largest number of each is
  /// positive.
  const Tensor& directions() const { return directions_; }
  const Tensor& singular_values() const { return singular_values_; }
  /// [components] f64 on the CPU: each direction's share of the rows' variance.
  Tensor explained() const;

 private:
  std::int64_t components_;
  std::int64_t seen_ = 0;
  Tensor mean_;         ///< [I] f64, of all rows
  double scatter_ = 0;  ///< Σ ‖row − mean‖²
  Tensor directions_, singular_values_;
};

}  // namespace hone::adapters
