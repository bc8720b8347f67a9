#include "adapters/incremental_pca.h"

#include <algorithm>
#include <cmath>

#include "adapters/leading_svd.h"
#include "adapters/start.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

/// As PEFT has them: twice the directions that are wanted, and four rounds.
constexpr std::int64_t kOversampling = 2;
constexpr int kRounds = 4;
/// What the range finder starts from has to be the same in every run, and nothing more.
constexpr std::uint64_t kSeed = 42;

Svd svd_of(const Tensor& matrix, std::int64_t components) {
  const std::int64_t q = kOversampling * components;
  if (q >= std::min(matrix.size(0), matrix.size(1))) return exact_svd(matrix);
  return leading_svd(matrix, normal(1)({{matrix.size(1), q}, kSeed, 0, {}}), kRounds);
}

/// A singular vector's sign is free: its largest number is made positive.
Tensor with_fixed_signs(const Tensor& vh) {
  const Tensor places = vh.abs().argmax(1, /*keepdim=*/true);
  return vh * vh.gather(1, places).sign();
}

}  // namespace

void IncrementalPca::fit(const Tensor& rows_NI) {
  const torch::NoGradGuard no_grad;
  const std::int64_t n = rows_NI.size(0);
  HONE_ASSERT(n >= components_ && rows_NI.size(1) >= components_, "{} rows for {} directions", n,
              components_);
  const Tensor rows = rows_NI.to(torch::kFloat32);
  const Tensor mean = rows.mean(0, /*keepdim=*/false, torch::kFloat64);
  const Tensor centred = rows - mean.to(torch::kFloat32);
  const double own_scatter = centred.square().sum(torch::kFloat64).item<double>();

  Tensor stacked = centred;
  if (seen_ == 0) {
    mean_ = mean;
    scatter_ = own_scatter;
  } else {
    // What was found so far stands for the rows before, and one more row for the shift of the mean.
    const double before = double(seen_), weight = before * double(n) / (before + double(n));
    const Tensor shift = mean_ - mean;
    stacked = torch::cat({singular_values_.unsqueeze(1) * directions_, centred,
                          (shift * std::sqrt(weight)).to(torch::kFloat32).unsqueeze(0)});
    scatter_ += own_scatter + weight * shift.square().sum().item<double>();
    mean_ = (mean_ * before + mean * double(n)) / (before + double(n));
  }
  const Svd svd = svd_of(stacked, components_);
  seen_ += n;
  directions_ = with_fixed_signs(svd.vh.narrow(0, 0, components_));
  singular_values_ = svd.s.narrow(0, 0, components_).clone();
}

Tensor IncrementalPca::explained() const {
  const Tensor squares = singular_values_.to(torch::kCPU, torch::kFloat64).square();
  return scatter_ > 0 ? squares / scatter_ : torch::zeros_like(squares);
}

}  // namespace hone::adapters
