// A warp a query (or a key, for the gradients of keys and values): its lanes first share 32 scores,
// a lane each, then the elements of the head. Every result has one writer and a fixed order of
// sums.
#include <limits>

#include "kernels/attention/arithmetic.h"
#include "kernels/cuda/launch.cuh"

namespace hone::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kPerLane = kCudaMostHeadDim / kWarp;

/// The shape as kernels read it: borders and prefixes on the device.
struct DeviceShape {
  AttentionShape host;
  const std::int64_t *cu_seqlens, *prefix_of;
  std::int64_t N, group;

  __device__ AttentionSpan span(std::int64_t index) const {
    return span_at(cu_seqlens, prefix_of, index);
  }
};

/// The number of the span that token t is in.
__device__ std::int64_t span_of(const DeviceShape& shape, std::int64_t t) {
  std::int64_t low = 0, high = shape.host.spans;  // borders[low] ≤ t < borders[high]
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (shape.cu_seqlens[middle] <= t ? low : high) = middle;
  }
  return low;
}

template <class T>
__device__ Wide<T> dot(const T* a, const T* b, std::int64_t d) {
  Wide<T> sum = 0;
  for (std::int64_t i = 0; i < d; ++i) sum += widen(a[i]) * widen(b[i]);
  return sum;
}

/// sums[i] += Σ_j factor of lane j · row(j)[lane + 32 i], over the first `count` lanes.
template <class T, class Row>
__device__ void accumulate(Wide<T>* sums, Wide<T> factor, std::int64_t count, std::int64_t d,
                           Row row) {
  for (int j = 0; j < count; ++j) {
    const Wide<T> f = __shfl_sync(kAllLanes, factor, j);
    const T* const values = row(j);
    for (int i = 0; i < kPerLane; ++i) {
      const int c = threadIdx.x % kWarp + kWarp * i;
      if (c < d) sums[i] += f * widen(values[c]);
    }
  }
}

template <class T>
__device__ void store(T* to, const Wide<T>* sums, Wide<T> factor, std::int64_t d) {
  for (int i = 0; i < kPerLane; ++i) {
    const int c = threadIdx.x % kWarp + kWarp * i;
    if (c < d) to[c] = narrow<T>(sums[i] * factor);
  }
}

__device__ std::int64_t warp_index() {
  return (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
}

template <class T>
__global__ void forward_kernel(const AttentionForward<T> a, const DeviceShape shape) {
  using W = Wide<T>;
  const std::int64_t t = warp_index() / shape.host.heads, head = warp_index() % shape.host.heads;
  if (t >= shape.N) return;
  const AttentionShape& s = shape.host;
  const std::int64_t d = s.head_dim;
  const AttentionSpan span = shape.span(span_of(shape, t));
  const std::int64_t position = span.position(t), begin = first_seen(position, s.window);
  const T* const q = a.q + t * s.q.token + head * s.q.head;
  const T* const k = a.k + head / shape.group * s.k.head;
  const T* const v = a.v + head / shape.group * s.v.head;
  W largest = -std::numeric_limits<W>::infinity(), sum = 0, out[kPerLane] = {};
  for (std::int64_t first = begin; first <= position; first += kWarp) {
    const std::int64_t key = first + threadIdx.x % kWarp;
    W score = -std::numeric_limits<W>::infinity();
    if (key <= position) {
      score = a.scale * dot(q, k + span.token(key) * s.k.token, d);
      if (a.softcap > 0) score = cap_score(score, a.softcap).value;
    }
    const W chunk_largest = warp_max(score);
    const W new_largest = chunk_largest > largest ? chunk_largest : largest;
    const W weight = attention_weight(score, new_largest);
    const W shrink = attention_weight(largest, new_largest);
    sum = sum * shrink + warp_sum(weight);
    for (int i = 0; i < kPerLane; ++i) out[i] *= shrink;
    accumulate<T>(out, weight, min(std::int64_t{kWarp}, position + 1 - first), d,
                  [&](int j) { return v + span.token(first + j) * s.v.token; });
    largest = new_largest;
  }
  store(a.out + (t * s.heads + head) * d, out, 1 / sum, d);
  if (threadIdx.x % kWarp == 0) a.logsumexp[t * s.heads + head] = largest + log(sum);
}

/// The weight of a key for a query, the loss's gradient with respect to it, and the derivative of
/// the capped score by the score.
template <class W>
struct WeightPair {
  W weight, dweight, slope;
};
template <class T>
__device__ WeightPair<Wide<T>> weight_pair(const AttentionBackward<T>& a, const AttentionShape& s,
                                           std::int64_t query, std::int64_t head, std::int64_t key,
                                           std::int64_t kv_head) {
  const T* const q = a.q + query * s.q.token + head * s.q.head;
  const T* const k = a.k + key * s.k.token + kv_head * s.k.head;
  const T* const v = a.v + key * s.v.token + kv_head * s.v.head;
  const T* const dout = a.dout + (query * s.heads + head) * s.head_dim;
  CappedScore<Wide<T>> score{a.scale * dot(q, k, s.head_dim), 1};
  if (a.softcap > 0) score = cap_score(score.value, a.softcap);
  return {attention_weight(score.value, a.logsumexp[query * s.heads + head]),
          dot(dout, v, s.head_dim), score.slope};
}

/// dq, and for the other kernel Σ w·dw of every query and head.
template <class T>
__global__ void query_gradient_kernel(const AttentionBackward<T> a, const DeviceShape shape,
                                      Wide<T>* means) {
  using W = Wide<T>;
  const std::int64_t t = warp_index() / shape.host.heads, head = warp_index() % shape.host.heads;
  if (t >= shape.N) return;
  const AttentionShape& s = shape.host;
  const AttentionSpan span = shape.span(span_of(shape, t));
  const std::int64_t position = span.position(t), begin = first_seen(position, s.window);
  const std::int64_t kv_head = head / shape.group;
  const auto pair_at = [&](std::int64_t key) {
    return key <= position ? weight_pair(a, s, t, head, span.token(key), kv_head)
                           : WeightPair<W>{0, 0, 0};
  };
  W mean = 0;
  for (std::int64_t key = begin + threadIdx.x % kWarp; key <= position; key += kWarp) {
    const WeightPair<W> pair = pair_at(key);
    mean += pair.weight * pair.dweight;
  }
  mean = warp_sum(mean);
  if (threadIdx.x % kWarp == 0) means[t * s.heads + head] = mean;
  W dq[kPerLane] = {};
  for (std::int64_t first = begin; first <= position; first += kWarp) {
    const WeightPair<W> pair = pair_at(first + threadIdx.x % kWarp);
    const W dscore = attention_score_gradient(pair.weight, pair.dweight, mean) * pair.slope;
    accumulate<T>(
        dq, dscore, min(std::int64_t{kWarp}, position + 1 - first), s.head_dim,
        [&](int j) { return a.k + span.token(first + j) * s.k.token + kv_head * s.k.head; });
  }
  store(a.dq + (t * s.heads + head) * s.head_dim, dq, a.scale, s.head_dim);
}

/// Whether span `index` goes on from span `first`.
__device__ bool goes_on_from(const DeviceShape& shape, std::int64_t index, std::int64_t first) {
  return shape.prefix_of != nullptr && index < shape.host.spans && shape.prefix_of[index] == first;
}

/// Tokens of a span that see the key at a position of its document.
struct Queries {
  std::int64_t begin, end;
};
__device__ Queries queries_that_see(const AttentionSpan& span, std::int64_t position,
                                    std::int64_t window) {
  // Where position 0 would be if the whole document stood in front of the span's end.
  const std::int64_t origin = span.begin - span.prefix_length;
  return {max(span.begin, origin + position),
          window == 0 ? span.end : min(span.end, origin + position + window)};
}

template <class T>
__global__ void key_gradient_kernel(const AttentionBackward<T> a, const DeviceShape shape,
                                    const Wide<T>* means) {
  using W = Wide<T>;
  const AttentionShape& s = shape.host;
  const std::int64_t key = warp_index() / s.kv_heads, kv_head = warp_index() % s.kv_heads;
  if (key >= shape.N) return;
  const std::int64_t d = s.head_dim, own = span_of(shape, key);
  const std::int64_t position = shape.span(own).position(key);
  W dk[kPerLane] = {}, dv[kPerLane] = {};
  for (std::int64_t head = kv_head * shape.group; head < (kv_head + 1) * shape.group; ++head)
    for (std::int64_t index = own; index == own || goes_on_from(shape, index, own); ++index) {
      const Queries seeing = queries_that_see(shape.span(index), position, s.window);
      for (std::int64_t first = seeing.begin; first < seeing.end; first += kWarp) {
        const std::int64_t query = first + threadIdx.x % kWarp;
        const std::int64_t count = min(std::int64_t{kWarp}, seeing.end - first);
        WeightPair<W> pair{0, 0, 0};
        W mean = 0;
        if (query < seeing.end) {
          pair = weight_pair(a, s, query, head, key, kv_head);
          mean = means[query * s.heads + head];
        }
        const W dscore = attention_score_gradient(pair.weight, pair.dweight, mean) * pair.slope;
        accumulate<T>(dk, dscore, count, d,
                      [&](int j) { return a.q + (first + j) * s.q.token + head * s.q.head; });
        accumulate<T>(dv, pair.weight, count, d,
                      [&](int j) { return a.dout + ((first + j) * s.heads + head) * d; });
      }
    }
  store(a.dk + (key * s.kv_heads + kv_head) * d, dk, a.scale, d);
  store(a.dv + (key * s.kv_heads + kv_head) * d, dv, W{1}, d);
}

/// Device memory for the time of a launch, in the stream's order.
template <class T>
class StreamBuffer {
 public:
  explicit StreamBuffer(std::int64_t size) : stream_(current_stream()) {
    const std::size_t size_bytes = static_cast<std::size_t>(size) * sizeof(T);
    check_cuda(cudaMallocAsync(reinterpret_cast<void**>(&data_), size_bytes, stream_), "attention");
  }
  ~StreamBuffer() { cudaFreeAsync(data_, stream_); }
  StreamBuffer(const StreamBuffer&) = delete;
  StreamBuffer& operator=(const StreamBuffer&) = delete;
  T* get() const { return data_; }

 private:
  cudaStream_t stream_;
  T* data_ = nullptr;
};

/// Where the spans lie, on the device: the borders and then, where there are any, the prefixes.
class Layout {
 public:
  explicit Layout(const AttentionShape& shape) : shape_(shape), device_(2 * shape.spans + 1) {
    copy(shape.cu_seqlens, shape.spans + 1, device_.get());
    if (shape.prefix_of != nullptr) copy(shape.prefix_of, shape.spans, prefix_of());
  }
  DeviceShape shape() const {
    return {shape_, device_.get(), shape_.prefix_of != nullptr ? prefix_of() : nullptr,
            shape_.cu_seqlens[shape_.spans], shape_.heads / shape_.kv_heads};
  }

 private:
  static void copy(const std::int64_t* from, std::int64_t count, std::int64_t* to) {
    check_cuda(cudaMemcpyAsync(to, from, sizeof(std::int64_t) * count, cudaMemcpyHostToDevice,
                               current_stream()),
               "attention");
  }
  std::int64_t* prefix_of() const { return device_.get() + shape_.spans + 1; }

  AttentionShape shape_;
  StreamBuffer<std::int64_t> device_;
};

std::int64_t warps(std::int64_t items) { return blocks_for(items * kWarp, kThreads); }

}  // namespace

template <class T>
void launch_cuda(const AttentionForward<T>& args) {
  if (args.shape.spans == 0) return;
  const Layout layout(args.shape);
  const DeviceShape shape = layout.shape();
  start("attention", forward_kernel<T>, warps(shape.N * args.shape.heads), kThreads, args, shape);
}

template <class T>
void launch_cuda(const AttentionBackward<T>& args) {
  if (args.shape.spans == 0) return;
  const Layout layout(args.shape);
  const DeviceShape shape = layout.shape();
  const StreamBuffer<Wide<T>> means(shape.N * args.shape.heads);
  start("attention", query_gradient_kernel<T>, warps(shape.N * args.shape.heads), kThreads, args,
        shape, means.get());
  start("attention", key_gradient_kernel<T>, warps(shape.N * args.shape.kv_heads), kThreads, args,
        shape, static_cast<const Wide<T>*>(means.get()));
}

HONE_CUDA_LAUNCHERS(AttentionForward)
HONE_CUDA_LAUNCHERS(AttentionBackward)

}  // namespace hone::kernels
