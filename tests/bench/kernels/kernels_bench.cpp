// Each fused operation against the same made of LibTorch's operations, in turns within one run, so
// that both see the same machine: `ratio` is the fused one's time over the composite's (medians).
// OMP_NUM_THREADS says on how many threads.
// N 1024 tokens of documents as in fine-tuning, H 576, I 1536, heads 9/3 of 64, V 49152: SmolLM2.
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "kernels/attention/attention.h"
#include "kernels/dropout/dropout.h"
#include "kernels/glu/glu.h"
#include "kernels/linear_logprob/linear_logprob.h"
#include "kernels/packed/packed.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"

namespace hone::kernels {
namespace {

using Tensors = std::vector<at::Tensor>;
using TensorFunction = std::function<at::Tensor(const Tensors&)>;
using Borders = std::vector<std::int64_t>;

constexpr std::int64_t N = 1024, H = 576, I = 1536, kHeads = 9, kKvHeads = 3, kHeadDim = 64;
constexpr std::int64_t V = 49152, kLossRows = 512;
constexpr std::int64_t kFewTokens = 272;  // of a small micro-batch, where unpacking weighs most

struct Comparison {
  std::string name;
  std::vector<Borders> input_sizes;
  std::size_t trained_inputs;  // the first so many require a gradient; 0: only forward
  TensorFunction fused, composite;
};

Borders documents_of(std::initializer_list<std::int64_t> lengths) {
  Borders borders{0};
  std::size_t i = 0;
  while (borders.back() < N)
    borders.push_back(std::min(N, borders.back() + *(lengths.begin() + i++ % lengths.size())));
  return borders;
}

at::Tensor sdpa_by_document(const Tensors& in, const Borders& borders) {
  Tensors out;
  for (std::size_t d = 0; d + 1 < borders.size(); ++d) {
    const auto part = [&](const at::Tensor& x) {
      return x.slice(0, borders[d], borders[d + 1]).transpose(0, 1).unsqueeze(0);
    };
    out.push_back(at::scaled_dot_product_attention(part(in[0]), part(in[1]), part(in[2]), {}, 0.0,
                                                   true, 1 / std::sqrt(kHeadDim), true)[0]
                      .transpose(0, 1));
  }
  return at::cat(out);
}

Comparison attention_of(const std::string& name, const Borders& borders) {
  return {"attention_" + name,
          {{N, kHeads, kHeadDim}, {N, kKvHeads, kHeadDim}, {N, kKvHeads, kHeadDim}},
          3,
          [=](const Tensors& in) {
            return attention(in[0], in[1], in[2], borders, {1 / std::sqrt(kHeadDim)});
          },
          [=](const Tensors& in) { return sdpa_by_document(in, borders); }};
}

at::Tensor composite_rms_norm(const Tensors& in) {
  const at::Tensor x = in[0].to(at::kFloat);
  const at::Tensor rstd = at::rsqrt(x.square().mean(1, true) + 1e-5);
  return in[1] * (x * rstd).to(in[0].scalar_type());
}

at::Tensor composite_rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor c = at::cat({cos, cos}, 1).unsqueeze(1).to(x.scalar_type());
  const at::Tensor s = at::cat({sin, sin}, 1).unsqueeze(1).to(x.scalar_type());
  const Tensors halves = x.chunk(2, 2);
  return x * c + at::cat({-halves[1], halves[0]}, 2) * s;
}

at::Tensor composite_logprob(const Tensors& in, const at::Tensor& targets) {
  const at::Tensor logits = at::mm(in[0], in[1].t()).to(at::kFloat);
  return at::log_softmax(logits, 1).gather(1, targets.unsqueeze(1)).squeeze(1);
}

/// A matrix of random codes in 4 bits, its scales packed again.
PackedMatrix packed_matrix(std::int64_t rows, std::int64_t columns) {
  const std::int64_t blocks = rows * columns / 64;
  const auto bytes = [](std::int64_t n) { return at::randint(256, {n}, at::kByte); };
  return {.rows = rows,
          .columns = columns,
          .blocksize = 64,
          .codes = bytes(rows * columns / 2),
          .map = at::linspace(-1, 1, 16),
          .absmax = bytes(blocks),
          .nested_map = at::linspace(-1, 1, 256),
          .nested_absmax = at::rand({(blocks + 255) / 256}),
          .offset = at::full({1}, 0.1),
          .zeros = {}};
}

/// The product with a packed matrix, or its gradient, beside that with one that is not packed.
Comparison packed_of(const char* op, std::int64_t rows, std::int64_t columns, bool is_gradient) {
  const PackedMatrix packed = packed_matrix(rows, columns);
  const at::Tensor single = dequantize(packed, at::kFloat), half = single.to(at::kBFloat16);
  return {fmt::format("{}_{}x{}", op, rows, columns),
          {{kFewTokens, is_gradient ? rows : columns}},
          0,
          [=](const Tensors& in) {
            return is_gradient ? packed_gradient(in[0], packed) : packed_product(in[0], packed, {});
          },
          [=](const Tensors& in) {
            const at::Tensor& weight = in[0].scalar_type() == at::kFloat ? single : half;
            return in[0].mm(is_gradient ? weight : weight.t());
          }};
}

std::vector<Comparison> comparisons() {
  const at::Tensor angle = at::outer(at::arange(N, at::kFloat), at::rand({kHeadDim / 2}));
  const at::Tensor cos = angle.cos(), sin = angle.sin();
  const at::Tensor targets = at::randint(V, {kLossRows}, at::kLong);
  return {
      {"rms_norm",
       {{N, H}, {H}},
       1,
       [](const Tensors& in) { return rms_norm(in[0], in[1], 1e-5); },
       composite_rms_norm},
      {"rope",
       {{N, kHeads, kHeadDim}},
       1,
       [=](const Tensors& in) { return rope(in[0], cos, sin); },
       [=](const Tensors& in) { return composite_rope(in[0], cos, sin); }},
      {"glu",
       {{N, I}, {N, I}},
       2,
       [](const Tensors& in) { return glu(in[0], in[1]); },
       [](const Tensors& in) { return at::silu(in[0]) * in[1]; }},
      {"dropout",
       {{N, H}},
       1,
       [](const Tensors& in) { return dropout(in[0], 0.1, {.seed = 1}); },
       [](const Tensors& in) { return at::dropout(in[0], 0.1, true); }},
      attention_of("documents_40_to_130", documents_of({40, 130, 75, 101, 60})),
      attention_of("documents_512", documents_of({512})),
      {"linear_logprob_frozen_head",
       {{kLossRows, H}, {V, H}},
       1,
       [=](const Tensors& in) { return linear_logprob(in[0], in[1], {}, targets); },
       [=](const Tensors& in) { return composite_logprob(in, targets); }},
      {"linear_logprob_trained_head",
       {{kLossRows, H}, {V, H}},
       2,
       [=](const Tensors& in) { return linear_logprob(in[0], in[1], {}, targets); },
       [=](const Tensors& in) { return composite_logprob(in, targets); }},
      packed_of("packed_product", I, H, false),
      packed_of("packed_product", H, H, false),
      packed_of("packed_product", 192, H, false),
      packed_of("packed_gradient", I, H, true),
      packed_of("packed_gradient", H, I, true),
      packed_of("packed_gradient", H, H, true),
  };
}

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void run(benchmark::State& state, const Comparison& comparison, at::ScalarType dtype,
         bool backward) {
  Tensors leaves;
  for (const Borders& sizes : comparison.input_sizes)
    leaves.push_back((at::randn(sizes) / std::sqrt(static_cast<double>(sizes.back()))).to(dtype));
  const Tensors trained(leaves.begin(),
                        leaves.begin() + static_cast<std::ptrdiff_t>(comparison.trained_inputs));
  if (backward)
    for (const at::Tensor& leaf : trained) leaf.set_requires_grad(true);
  const auto once = [&](const TensorFunction& function) {
    const at::Tensor value = function(leaves);
    if (backward) torch::autograd::grad({value}, trained, {at::ones_like(value)});
  };
  once(comparison.fused);
  once(comparison.composite);
  std::vector<double> fused, composite;
  for (auto _ : state) {
    fused.push_back(seconds_of([&] { once(comparison.fused); }));
    composite.push_back(seconds_of([&] { once(comparison.composite); }));
    state.SetIterationTime(fused.back());
  }
  state.counters["fused_ms"] = 1e3 * median(fused);
  state.counters["composite_ms"] = 1e3 * median(composite);
  state.counters["ratio"] = median(fused) / median(composite);
}

void register_all() {
  for (const Comparison& comparison : comparisons())
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
      for (const bool backward : {false, true}) {
        if (backward && comparison.trained_inputs == 0) continue;
        const std::string name = fmt::format("{}/{}/{}", comparison.name, c10::toString(dtype),
                                             backward ? "forward+backward" : "forward");
        benchmark::RegisterBenchmark(
            name.c_str(), [=](benchmark::State& state) { run(state, comparison, dtype, backward); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
}

}  // namespace
}  // namespace hone::kernels

int main(int argc, char** argv) {
  hone::kernels::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
