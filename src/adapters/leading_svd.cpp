#include "adapters/leading_svd.h"

#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>

namespace hone::adapters {

Svd exact_svd(const Tensor& matrix) {
  const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  return {u, s, vh};
}

Svd leading_svd(const Tensor& matrix, const Tensor& start, int rounds) {
  const auto orthonormal = [](const Tensor& m) { return std::get<0>(at::linalg_qr(m)); };
  Tensor range = orthonormal(matrix.mm(start.to(matrix.device())));
  for (int i = 0; i < rounds; ++i)
    range = orthonormal(matrix.mm(orthonormal(matrix.t().mm(range))));
  const Svd inside = exact_svd(range.t().mm(matrix));
  return {range.mm(inside.u), inside.s, inside.vh};
}

Directions balanced(const Svd& svd, std::int64_t r, double scaling) {
  const Tensor root = (svd.s.narrow(0, 0, r) / scaling).sqrt();
  return {root.unsqueeze(1) * svd.vh.narrow(0, 0, r), svd.u.narrow(1, 0, r) * root};
}

}  // namespace hone::adapters
