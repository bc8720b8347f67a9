#include "kernels/attention/attention.h"

#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/launch.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [T, heads, D] of one document as [1, heads, T, D], each head repeated for its group.
at::Tensor document(const at::Tensor& x, std::int64_t first, std::int64_t last,
                    std::int64_t group) {
  at::Tensor heads = x.slice(0, first, last).transpose(0, 1).unsqueeze(0);
  return group == 1 ? heads : heads.repeat_interleave(group, 1);
}

struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, std::vector<std::int64_t> cu_seqlens,
                            double scale) {
    const std::int64_t group = q.size(1) / k.size(1);
    const at::Tensor out = at::empty(q.sizes(), q.options());
    const at::Tensor lse =
        at::empty({q.size(0), q.size(1)}, q.options().dtype(wide_dtype(q.scalar_type())));
    for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d) {
      const std::int64_t first = cu_seqlens[d], last = cu_seqlens[d + 1];
      const auto [o, l] = at::_scaled_dot_product_flash_attention_for_cpu(
          document(q, first, last, 1), document(k, first, last, group),
          document(v, first, last, group), 0.0, true, {}, scale);
      out.slice(0, first, last).copy_(o[0].transpose(0, 1));
      lse.slice(0, first, last).copy_(l[0].transpose(0, 1));
    }
    ctx->save_for_backward({q, k, v, out, lse});
    ctx->saved_data["cu_seqlens"] = std::move(cu_seqlens);
    ctx->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("attention");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const auto cu_seqlens = ctx->saved_data["cu_seqlens"].toIntVector();
    const double scale = ctx->saved_data["scale"].toDouble();
    const std::int64_t kv_heads = k.size(1), group = q.size(1) / kv_heads;
    const at::Tensor dq = at::empty(q.sizes(), q.options());
    const at::Tensor dk = at::empty(k.sizes(), k.options());
    const at::Tensor dv = at::empty(v.sizes(), v.options());
    for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d) {
      const std::int64_t first = cu_seqlens[d], last = cu_seqlens[d + 1];
      const auto [gq, gk, gv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          document(grads[0], first, last, 1), document(q, first, last, 1),
          document(k, first, last, group), document(v, first, last, group),
          document(out, first, last, 1), document(lse.unsqueeze(2), first, last, 1).squeeze(3), 0.0,
          true, {}, scale);
      const auto over_group = [&](const at::Tensor& g) {
        return g[0].unflatten(0, {kv_heads, group}).sum(1).transpose(0, 1);
      };
      dq.slice(0, first, last).copy_(gq[0].transpose(0, 1));
      dk.slice(0, first, last).copy_(over_group(gk));
      dv.slice(0, first, last).copy_(over_group(gv));
    }
    return {dq, dk, dv, {}, {}};
  }
};

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     at::IntArrayRef cu_seqlens, double scale) {
  check_sizes("attention", "q", q, {-1, -1, -1});
  check_sizes("attention", "k", k, {q.size(0), -1, q.size(2)});
  check_sizes("attention", "v", v, k.sizes());
  check_like("attention", "k", k, q);
  check_like("attention", "v", v, q);
  HONE_CHECK(ShapeError, k.size(1) > 0 && q.size(1) % k.size(1) == 0,
             "attention: {} query heads are not a multiple of {} key-value heads", q.size(1),
             k.size(1));
  HONE_CHECK(ShapeError,
             !cu_seqlens.empty() && cu_seqlens.front() == 0 && cu_seqlens.back() == q.size(0),
             "attention: cu_seqlens must run from 0 to the {} tokens, got [{}]", q.size(0),
             fmt::join(cu_seqlens, ", "));
  for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d)
    HONE_CHECK(ShapeError, cu_seqlens[d] < cu_seqlens[d + 1],
               "attention: cu_seqlens must rise, but border {} is {} and the next {}", d,
               cu_seqlens[d], cu_seqlens[d + 1]);
  return Attention::apply(with_adjacent_elements(q), with_adjacent_elements(k),
                          with_adjacent_elements(v), cu_seqlens.vec(), scale);
}

}  // namespace hone::kernels
