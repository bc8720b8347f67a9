#include "engine/neftune.h"

#include <algorithm>
#include <cmath>

#include "base/philox.h"
#include "kernels/parallel.h"

namespace hone::engine {
namespace {

using torch::Tensor;

/// Rows that a thread takes at least.
constexpr std::int64_t kGrain = 16;

/// Numbers that are even in [-1, 1), [N, H] f32 on the CPU.
Tensor even_numbers(std::int64_t N, std::int64_t H, const adapters::DropoutState& state) {
  const Tensor noise = torch::empty({N, H}, torch::kFloat32);
  float* to = noise.data_ptr<float>();
  const std::int64_t groups = (H + 3) / 4;
  const std::uint64_t stream =
      (static_cast<std::uint64_t>(RandomStream::kNeftune) << 56) | state.step;
  kernels::parallel_for(N, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::uint64_t row = state.first_row + static_cast<std::uint64_t>(n);
      for (std::int64_t g = 0; g < groups; ++g) {
        const auto words =
            Philox(state.seed)(row * std::uint64_t(groups) + std::uint64_t(g), stream);
        for (std::int64_t h = 4 * g; h < std::min(4 * g + 4, H); ++h)
          to[n * H + h] = 2 * Philox::uniform(words.w[h - 4 * g]) - 1;
      }
    }
  });
  return noise;
}

/// The size of each row's noise, [N, 1] f32.
Tensor sizes_of(const std::vector<std::int64_t>& cu_seqlens, std::int64_t H, double alpha) {
  std::vector<float> sizes;
  for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d) {
    const std::int64_t length = cu_seqlens[d + 1] - cu_seqlens[d];
    sizes.insert(sizes.end(), static_cast<std::size_t>(length),
                 static_cast<float>(alpha / std::sqrt(double(length * H))));
  }
  return torch::tensor(sizes).unsqueeze(1);
}

}  // namespace

void add_neftune(model::Decoder& decoder, double alpha,
                 std::shared_ptr<const adapters::DropoutState> state) {
  if (alpha == 0) return;
  decoder.embedding_noise = [alpha, state](const Tensor& rows,
                                           const std::vector<std::int64_t>& cu_seqlens) {
    if (!state->training || !torch::GradMode::is_enabled()) return torch::zeros({}, rows.options());
    const torch::NoGradGuard no_grad;
    const std::int64_t H = rows.size(1);
    return (even_numbers(rows.size(0), H, *state) * sizes_of(cu_seqlens, H, alpha))
        .to(rows.options());
  };
}

}  // namespace hone::engine
