#include "distributed/shards.h"

#include <c10/core/StorageImpl.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace hone::distributed {
namespace {

/// Where tensors begin in a buffer, as LibTorch's own do.
constexpr std::int64_t kAlignment_bytes = 64;

std::int64_t rounded_up(std::int64_t size, std::int64_t to) { return (size + to - 1) / to * to; }

std::int64_t element_bytes(const Tensor& tensor) {
  return static_cast<std::int64_t>(tensor.element_size());
}

std::int64_t bytes_of(const Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); }

std::int64_t alignment_of(const Divided& one) {
  return std::max(kAlignment_bytes, one.grain * element_bytes(one.whole));
}

c10::StorageImpl& storage_of(const Tensor& tensor) {
  return *tensor.storage().unsafeGetStorageImpl();
}

/// Where the storage's numbers are from here on, as long as it refers to them.
void point(const Tensor& tensor, const Tensor& to) {
  c10::StorageImpl& storage = storage_of(tensor);
  auto* owner = new Tensor(to);
  storage.set_data_ptr_noswap(c10::DataPtr(
      to.mutable_data_ptr(), owner, [](void* kept) { delete static_cast<Tensor*>(kept); },
      to.device()));
  storage.set_nbytes(to.nbytes());
}

void empty(const Tensor& tensor) {
  c10::StorageImpl& storage = storage_of(tensor);
  storage.set_data_ptr_noswap(c10::DataPtr(nullptr, tensor.device()));
  storage.set_nbytes(std::size_t{0});
}

}  // namespace

Shards::Shards(Group group, std::vector<Divided> tensors, std::string what)
    : group_(std::move(group)), tensors_(std::move(tensors)), what_(std::move(what)) {
  const torch::NoGradGuard no_grad;
  HONE_ASSERT(!tensors_.empty(), "{}", what_);
  for (const Divided& one : tensors_) {
    HONE_ASSERT(one.whole.is_contiguous() && one.whole.storage_offset() == 0 &&
                    storage_of(one.whole).nbytes() == one.whole.nbytes(),
                "{}: a tensor is not all that its storage holds", what_);
    HONE_ASSERT(one.grain == Divided::kNever || std::has_single_bit(std::uint64_t(one.grain)),
                "{}: {}", what_, one.grain);
  }
  lay_out();
  for (std::size_t i = 0; i < tensors_.size(); ++i) take_part(i);
  for (Divided& one : tensors_) one.master = Tensor();
}

void Shards::lay_out() {
  offsets_.resize(tensors_.size());
  const bool is_dealt = std::ranges::any_of(
      tensors_, [](const Divided& one) { return one.grain == Divided::kNever; });
  if (is_dealt)
    deal_whole();
  else
    cut();
}

/// The largest first, each to the rank that has least so far.
void Shards::deal_whole() {
  std::vector<std::size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::size_t i) { return bytes_of(tensors_[i].whole); });
  std::vector<std::int64_t> loads(static_cast<std::size_t>(group_.world()), 0);
  std::vector<std::size_t> ranks(tensors_.size());
  for (const std::size_t i : order) {
    const auto least = std::ranges::min_element(loads);
    ranks[i] = static_cast<std::size_t>(least - loads.begin());
    offsets_[i] = *least;
    *least += rounded_up(bytes_of(tensors_[i].whole), kAlignment_bytes);
  }
  slice_bytes_ = std::ranges::max(loads);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    offsets_[i] += static_cast<std::int64_t>(ranks[i]) * slice_bytes_;
    tensors_[i].grain = Divided::kNever;
  }
}

/// Where every tensor begins at a multiple of its grain and a slice is a multiple of all grains,
/// the slices' borders are multiples of it within the tensor.
void Shards::cut() {
  std::int64_t end = 0, coarsest = kAlignment_bytes;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const std::int64_t alignment = alignment_of(tensors_[i]);
    offsets_[i] = rounded_up(end, alignment);
    end = offsets_[i] + bytes_of(tensors_[i].whole);
    coarsest = std::max(coarsest, alignment);
  }
  slice_bytes_ = rounded_up((end + group_.world() - 1) / group_.world(), coarsest);
}

void Shards::take_part(std::size_t i) {
  const Divided& one = tensors_[i];
  const std::int64_t begin = group_.rank() * slice_bytes_, end = begin + slice_bytes_;
  const std::int64_t size = bytes_of(one.whole), each = element_bytes(one.whole);
  const std::int64_t first = std::clamp<std::int64_t>(begin - offsets_[i], 0, size) / each;
  const std::int64_t last = std::clamp<std::int64_t>(end - offsets_[i], 0, size) / each;
  const Tensor from = (one.master.defined() ? one.master : one.whole).detach();
  const bool is_all = one.grain == Divided::kNever && last > first;
  parts_.push_back(
      {is_all ? from.clone() : from.view({-1}).narrow(0, first, last - first).clone(), first});
}

Tensor Shards::in_buffer(std::size_t i, std::int64_t begin, std::int64_t size) const {
  const Tensor& whole = tensors_[i].whole;
  const std::int64_t each = element_bytes(whole);
  return buffer_.narrow(0, offsets_[i] + begin * each, size * each).view(whole.scalar_type());
}

void Shards::point_into_buffer() {
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    point(tensors_[i].whole, in_buffer(i, 0, tensors_[i].whole.numel()));
}

void Shards::begin_gather() {
  if (is_whole_ || wait_) return;
  const torch::NoGradGuard no_grad;
  buffer_ = torch::empty(
      {whole_bytes()}, tensors_.front().whole.options().dtype(torch::kUInt8).requires_grad(false));
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const OwnPart& part = parts_[i];
    if (part.tensor.numel() > 0)
      in_buffer(i, part.begin, part.tensor.numel()).copy_(part.tensor.view({-1}));
  }
  wait_ = group_.begin_all_gather_into(buffer_, what_);
}

void Shards::gather() {
  if (is_whole_) return;
  begin_gather();
  std::exchange(wait_, nullptr)();
  point_into_buffer();
  is_whole_ = true;
}

void Shards::release() {
  if (wait_) std::exchange(wait_, nullptr)();
  for (const Divided& one : tensors_) empty(one.whole);
  buffer_ = Tensor();
  is_whole_ = false;
}

void Shards::settle() {
  const torch::NoGradGuard no_grad;
  is_whole_ = false;
  gather();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    OwnPart& part = parts_[i];
    HONE_ASSERT(part.tensor.scalar_type() == tensors_[i].whole.scalar_type(), "{}", what_);
    part.tensor = in_buffer(i, part.begin, part.tensor.numel()).view(part.tensor.sizes());
  }
}

void Shards::share() { group_.all_gather_into(buffer_, what_); }

void Shards::sum_gradients(std::vector<Tensor>& gradients) {
  const torch::NoGradGuard no_grad;
  const std::int64_t each = element_bytes(tensors_.front().whole);
  const Tensor sums =
      torch::zeros({whole_bytes() / each},
                   tensors_.front().whole.options().dtype(torch::kFloat32).requires_grad(false));
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Tensor gradient = std::exchange(gradients[i], Tensor());
    HONE_ASSERT(element_bytes(tensors_[i].whole) == each, "{}: of several dtypes", what_);
    if (gradient.defined())
      sums.narrow(0, offsets_[i] / each, gradient.numel()).copy_(gradient.reshape({-1}));
  }
  group_.reduce_scatter(sums, what_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    Tensor& part = parts_[i].tensor;
    const Tensor sum =
        sums.narrow(0, offsets_[i] / each + parts_[i].begin, part.numel()).view(part.sizes());
    if (part.grad().defined())
      part.mutable_grad().add_(sum);
    else
      part.mutable_grad() = sum.to(part.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  }
}

}  // namespace hone::distributed
