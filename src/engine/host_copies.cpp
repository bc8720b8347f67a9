#include "engine/host_copies.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/error.h"

namespace hone::engine {
namespace {

/// What a core takes at a time: it is copied and looked at while it is in the cache.
constexpr std::int64_t kChunkBytes = 128 << 10;

/// Whether numbers of these bits hold one whose exponent has all bits set: NaN or infinity.
template <class Bits>
bool holds_non_finite(const std::byte* bytes, std::int64_t size, Bits exponent) {
  Bits found = 0;
  for (std::int64_t i = 0; i < size; i += std::int64_t{sizeof(Bits)}) {
    Bits bits;
    std::memcpy(&bits, bytes + i, sizeof bits);
    found |= static_cast<Bits>((bits & exponent) == exponent);
  }
  return found != 0;
}

bool is_non_finite(const std::byte* bytes, std::int64_t size, torch::Dtype dtype) {
  switch (dtype) {
    case torch::kFloat32:
      return holds_non_finite<std::uint32_t>(bytes, size, 0x7f800000);
    case torch::kBFloat16:
      return holds_non_finite<std::uint16_t>(bytes, size, 0x7f80);
    case torch::kFloat16:
      return holds_non_finite<std::uint16_t>(bytes, size, 0x7c00);
    case torch::kFloat64:
      return holds_non_finite<std::uint64_t>(bytes, size, 0x7ff0000000000000);
    default:
      return false;
  }
}

/// Some bytes of one tensor.
struct Chunk {
  std::size_t tensor;
  const std::byte* from;
  std::byte* to;  ///< null: they stay where they are
  std::int64_t size;
};

void add_chunks(std::size_t index, const Tensor& from, const Tensor& to,
                std::vector<Chunk>& chunks) {
  const auto* source = static_cast<const std::byte*>(from.const_data_ptr());
  auto* target = to.is_same(from) ? nullptr : static_cast<std::byte*>(to.mutable_data_ptr());
  const auto bytes = static_cast<std::int64_t>(from.nbytes());
  for (std::int64_t begin = 0; begin < bytes; begin += kChunkBytes)
    chunks.push_back({index, source + begin, target == nullptr ? nullptr : target + begin,
                      std::min(kChunkBytes, bytes - begin)});
}

}  // namespace

std::optional<std::string> HostCopies::take(const std::vector<KeptTensor>& tensors, bool copies) {
  const torch::NoGradGuard no_grad;
  taken_ = tensors;
  memory_.resize(copies ? tensors.size() : 0);
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor source = tensors[i].tensor.detach();
    const bool is_here = source.is_cpu() && source.is_contiguous();
    Tensor& target = taken_[i].tensor;
    target = is_here ? source : Tensor();
    if (copies) {
      Tensor& kept = memory_[i];
      const auto options = torch::TensorOptions(torch::kCPU).dtype(source.scalar_type());
      if (!kept.defined() || kept.sizes() != source.sizes() || kept.dtype() != source.dtype())
        kept = torch::empty(source.sizes(), options);
      target = kept;
    }
    if (!is_here) {
      if (copies)
        target.copy_(source);
      else
        target = source.to(torch::kCPU).contiguous();
    }
    add_chunks(i, is_here ? source : target, target, chunks);
  }
  std::atomic<std::size_t> first = tensors.size();
  at::parallel_for(0, std::ssize(chunks), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const Chunk& chunk = chunks[static_cast<std::size_t>(c)];
      if (is_non_finite(chunk.from, chunk.size, tensors[chunk.tensor].tensor.scalar_type())) {
        std::size_t known = first;
        while (chunk.tensor < known && !first.compare_exchange_weak(known, chunk.tensor)) {
        }
      }
      if (chunk.to != nullptr)
        std::memcpy(chunk.to, chunk.from, static_cast<std::size_t>(chunk.size));
    }
  });
  return first < tensors.size() ? std::optional(tensors[first].name) : std::nullopt;
}

}  // namespace hone::engine
