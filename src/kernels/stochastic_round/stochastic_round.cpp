#include "kernels/stochastic_round/stochastic_round.h"

#include "base/philox.h"
#include "kernels/launch.h"
#include "kernels/stochastic_round/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr const char* kOp = "stochastic_round";
constexpr unsigned kTensorShift = 40;  // a tensor has fewer than 2^43 elements, eight a group

static_assert(kRoundingPortion == kRoundBlock);

}  // namespace

void round_stochastically(const at::Tensor& x, const at::Tensor& y, const RoundingKey& key,
                          std::int64_t first) {
  check_device(kOp, x);
  check_sizes(kOp, "y", y, x.sizes());
  HONE_CHECK(ShapeError,
             x.scalar_type() == at::kFloat && y.scalar_type() == at::kBFloat16 &&
                 x.device() == y.device() && x.is_contiguous() && y.is_contiguous(),
             "{}: takes contiguous float32 and gives contiguous bfloat16 on the same device, got "
             "{} on {} and {} on {}",
             kOp, c10::toString(x.scalar_type()), x.device().str(), c10::toString(y.scalar_type()),
             y.device().str());
  HONE_CHECK(ShapeError,
             key.step < (std::uint64_t{1} << 56) && key.tensor < (1u << 24) && first >= 0 &&
                 first % kRoundBlock == 0,
             "{}: step {}, tensor {} or first element {} is out of range", kOp, key.step,
             key.tensor, first);
  const std::uint64_t stream = static_cast<std::uint64_t>(RandomStream::kRounding) << 56;
  launch(x, StochasticRound<Bf16>{.x = data<float>(x),
                                  .y = mutable_data<Bf16>(y),
                                  .size = x.numel(),
                                  .seed = key.seed,
                                  .counter_high = stream | key.step,
                                  .counter_low = (std::uint64_t{key.tensor} << kTensorShift) +
                                                 static_cast<std::uint64_t>(first / kRoundFields)});
}

}  // namespace hone::kernels
