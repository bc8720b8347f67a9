#include "kernels/dropout/dropout.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/dropout/arithmetic.h"
#include "kernels/launch.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int kStepBits = 56, kSiteBits = 24, kGroupBits = 64 - kSiteBits;

at::Tensor drop(const at::Tensor& x, double p, const DropoutKey& key) {
  const at::Tensor y = at::empty(x.sizes(), x.options());
  const std::int64_t N = x.size(0), H = x.size(1);
  const std::uint64_t stream = static_cast<std::uint64_t>(RandomStream::kDropout);
  const std::uint64_t groups = static_cast<std::uint64_t>(dropout_groups(H));
  with_storage_type("dropout", x.scalar_type(), [&]<class T>(std::type_identity<T>) {
    launch(x, Dropout<T>{.x = data<T>(x),
                         .x_stride = x.stride(0),
                         .y = mutable_data<T>(y),
                         .N = N,
                         .H = H,
                         .seed = key.seed,
                         .counter_high = stream << kStepBits | key.step,
                         .counter_low = (static_cast<std::uint64_t>(key.site) << kGroupBits) +
                                        key.first_row * groups,
                         .p = static_cast<float>(p)});
  });
  return y;
}

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, double p, DropoutKey key) {
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = static_cast<std::int64_t>(key.seed);
    ctx->saved_data["step"] = static_cast<std::int64_t>(key.step);
    ctx->saved_data["site"] = static_cast<std::int64_t>(key.site);
    ctx->saved_data["first_row"] = static_cast<std::int64_t>(key.first_row);
    return drop(x, p, key);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("dropout");
    const auto number = [&](const char* name) {
      return static_cast<std::uint64_t>(ctx->saved_data[name].toInt());
    };
    const DropoutKey key{.seed = number("seed"),
                         .step = number("step"),
                         .site = static_cast<std::uint32_t>(number("site")),
                         .first_row = number("first_row")};
    const at::Tensor dy = with_adjacent_elements(grads[0]);
    return {drop(dy, ctx->saved_data["p"].toDouble(), key), {}, {}};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x_NH, double p, const DropoutKey& key) {
  check_sizes("dropout", "x", x_NH, {-1, -1});
  check_device("dropout", x_NH);
  HONE_CHECK(ShapeError, p >= 0 && p < 1, "dropout: p must be in [0, 1), got {}", p);
  const std::uint64_t rows = key.first_row + static_cast<std::uint64_t>(x_NH.size(0));
  const std::uint64_t groups = static_cast<std::uint64_t>(dropout_groups(x_NH.size(1)));
  HONE_CHECK(ShapeError,
             key.step >> kStepBits == 0 && key.site >> kSiteBits == 0 &&
                 (groups == 0 || rows < (std::uint64_t{1} << kGroupBits) / groups),
             "dropout: step {}, site {} or row {} is beyond what a key can tell apart", key.step,
             key.site, rows);
  if (p == 0) return x_NH;
  return DropoutFunction::apply(with_adjacent_elements(x_NH), p, key);
}

}  // namespace hone::kernels
