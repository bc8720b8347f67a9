#include "kernels/attention/attention.h"

#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "kernels/attention/arithmetic.h"
#include "kernels/launch.h"

namespace hone::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Where the batch's spans lie: borders [D+1], and prefixes [D] or none.
struct Layout {
  std::vector<std::int64_t> cu_seqlens, prefix_of;
};

HeadStrides strides_of(const at::Tensor& x) { return {x.stride(0), x.stride(1)}; }

AttentionShape shape_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const Layout& layout, std::int64_t window) {
  return {.cu_seqlens = layout.cu_seqlens.data(),
          .prefix_of = layout.prefix_of.empty() ? nullptr : layout.prefix_of.data(),
          .spans = static_cast<std::int64_t>(layout.cu_seqlens.size()) - 1,
          .heads = q.size(1),
          .kv_heads = k.size(1),
          .head_dim = q.size(2),
          .window = window,
          .q = strides_of(q),
          .k = strides_of(k),
          .v = strides_of(v)};
}

struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const Layout& layout,
                            const AttentionOptions& options) {
    const at::Tensor out = at::empty(q.sizes(), q.options());
    const at::Tensor logsumexp =
        at::empty({q.size(0), q.size(1)}, q.options().dtype(wide_dtype(q.scalar_type())));
    with_storage_type("attention", q.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(q, AttentionForward<T>{.shape = shape_of(q, k, v, layout, options.window),
                                    .q = data<T>(q),
                                    .k = data<T>(k),
                                    .v = data<T>(v),
                                    .scale = static_cast<Wide<T>>(options.scale),
                                    .softcap = static_cast<Wide<T>>(options.softcap),
                                    .out = mutable_data<T>(out),
                                    .logsumexp = mutable_data<Wide<T>>(logsumexp)});
    });
    ctx->save_for_backward({q, k, v, logsumexp});
    ctx->saved_data["cu_seqlens"] = layout.cu_seqlens;
    ctx->saved_data["prefix_of"] = layout.prefix_of;
    ctx->saved_data["scale"] = options.scale;
    ctx->saved_data["window"] = options.window;
    ctx->saved_data["softcap"] = options.softcap;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    check_first_order("attention");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &logsumexp = saved[3];
    const Layout layout{ctx->saved_data["cu_seqlens"].toIntVector(),
                        ctx->saved_data["prefix_of"].toIntVector()};
    const double scale = ctx->saved_data["scale"].toDouble();
    const double softcap = ctx->saved_data["softcap"].toDouble();
    const std::int64_t window = ctx->saved_data["window"].toInt();
    const at::Tensor dout = grads[0].contiguous();
    const at::Tensor dq = at::empty(q.sizes(), q.options());
    const at::Tensor dk = at::empty(k.sizes(), k.options());
    const at::Tensor dv = at::empty(v.sizes(), v.options());
    with_storage_type("attention", q.scalar_type(), [&]<class T>(std::type_identity<T>) {
      launch(q, AttentionBackward<T>{.shape = shape_of(q, k, v, layout, window),
                                     .q = data<T>(q),
                                     .k = data<T>(k),
                                     .v = data<T>(v),
                                     .scale = static_cast<Wide<T>>(scale),
                                     .softcap = static_cast<Wide<T>>(softcap),
                                     .dout = data<T>(dout),
                                     .logsumexp = data<Wide<T>>(logsumexp),
                                     .dq = mutable_data<T>(dq),
                                     .dk = mutable_data<T>(dk),
                                     .dv = mutable_data<T>(dv)});
    });
    return {dq, dk, dv, {}, {}};
  }
};

void check_borders(at::IntArrayRef cu_seqlens, std::int64_t tokens) {
  HONE_CHECK(ShapeError,
             !cu_seqlens.empty() && cu_seqlens.front() == 0 && cu_seqlens.back() == tokens,
             "attention: cu_seqlens must run from 0 to the {} tokens, got [{}]", tokens,
             fmt::join(cu_seqlens, ", "));
  for (std::size_t d = 0; d + 1 < cu_seqlens.size(); ++d)
    HONE_CHECK(ShapeError, cu_seqlens[d] < cu_seqlens[d + 1],
               "attention: cu_seqlens must rise, but border {} is {} and the next {}", d,
               cu_seqlens[d], cu_seqlens[d + 1]);
}

void check_prefixes(at::IntArrayRef prefix_of, std::size_t spans) {
  if (prefix_of.empty()) return;
  HONE_CHECK(ShapeError, prefix_of.size() == spans,
             "attention: prefix_of must have one entry for each of {} spans, got {}", spans,
             prefix_of.size());
  std::int64_t last_begun = -1;
  for (std::size_t d = 0; d < spans; ++d) {
    if (prefix_of[d] == -1) last_begun = static_cast<std::int64_t>(d);
    HONE_CHECK(ShapeError, prefix_of[d] == -1 || (last_begun >= 0 && prefix_of[d] == last_begun),
               "attention: span {} may begin a document (-1) or go on from span {}, the last that "
               "begins one; prefix_of says {}",
               d, last_begun, prefix_of[d]);
  }
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     at::IntArrayRef cu_seqlens, const AttentionOptions& options,
                     at::IntArrayRef prefix_of) {
  check_sizes("attention", "q", q, {-1, -1, -1});
  check_device("attention", q);
  check_sizes("attention", "k", k, {q.size(0), -1, q.size(2)});
  check_sizes("attention", "v", v, k.sizes());
  check_like("attention", "k", k, q);
  check_like("attention", "v", v, q);
  HONE_CHECK(ShapeError, q.is_cpu() || q.size(2) <= kCudaMostHeadDim,
             "attention: head_dim is at most {} on a GPU, got {}", kCudaMostHeadDim, q.size(2));
  HONE_CHECK(ShapeError, options.window >= 0 && options.softcap >= 0,
             "attention: window {} and softcap {} must not be negative", options.window,
             options.softcap);
  HONE_CHECK(ShapeError, k.size(1) > 0 && q.size(1) % k.size(1) == 0,
             "attention: {} query heads are not a multiple of {} key-value heads", q.size(1),
             k.size(1));
  check_borders(cu_seqlens, q.size(0));
  check_prefixes(prefix_of, cu_seqlens.size() - 1);
  return Attention::apply(with_adjacent_elements(q), with_adjacent_elements(k),
                          with_adjacent_elements(v), Layout{cu_seqlens.vec(), prefix_of.vec()},
                          options);
}

}  // namespace hone::kernels
