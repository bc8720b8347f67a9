#include "distributed/exchange.h"

#include <algorithm>
#include <numeric>

namespace hone::distributed {
namespace {

/// Two exchanges of half an all-reduce's bytes: each rank adds up a part of the buffer, all gather
/// the parts.
void sum_rounded(const Group& group, const Tensor& buffer, std::string_view what) {
  const std::int64_t world = group.world(), numbers = buffer.numel();
  const std::int64_t part = (numbers + world - 1) / world;
  const Tensor sent = torch::zeros({world * part}, buffer.options().dtype(torch::kBFloat16));
  sent.narrow(0, 0, numbers).copy_(buffer);
  const Tensor received = group.all_to_all(sent, what);
  Tensor sum = torch::zeros({part}, buffer.options());
  for (std::int64_t rank = 0; rank < world; ++rank) sum.add_(received[rank]);
  // As bytes: Gloo gathers few types.
  const Tensor own = sum.to(torch::kBFloat16).view(torch::kUInt8);
  const Tensor all = torch::cat(group.all_gather(own, what)).view(torch::kBFloat16);
  Tensor(buffer).copy_(all.narrow(0, 0, numbers));
}

}  // namespace

void sum_bucket(const Group& group, std::span<const Tensor> tensors, torch::Dtype dtype,
                std::string_view what) {
  if (group.is_alone() || tensors.empty()) return;
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> flat;
  for (const Tensor& tensor : tensors) flat.push_back(tensor.reshape({-1}).to(torch::kFloat32));
  const Tensor buffer = torch::cat(flat);
  if (dtype == torch::kBFloat16)
    sum_rounded(group, buffer, what);
  else
    group.all_reduce(buffer, what);
  std::int64_t begin = 0;
  for (Tensor tensor : tensors) {
    tensor.copy_(buffer.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
}

void sum_tensors(const Group& group, std::span<const Tensor> tensors, std::string_view what,
                 torch::Dtype dtype) {
  if (group.is_alone()) return;
  std::vector<Tensor> bucket;
  std::int64_t bytes = 0;
  for (const Tensor& tensor : tensors) {
    const auto more = static_cast<std::int64_t>(tensor.nbytes());
    if (!bucket.empty() && bytes + more > kBucketBytes) {
      sum_bucket(group, bucket, dtype, what);
      bucket.clear();
      bytes = 0;
    }
    bucket.push_back(tensor);
    bytes += more;
  }
  if (!bucket.empty()) sum_bucket(group, bucket, dtype, what);
}

void sum_numbers(const Group& group, std::span<double> numbers, std::string_view what) {
  if (group.is_alone() || numbers.empty()) return;
  const auto size = static_cast<std::int64_t>(numbers.size());
  group.all_reduce(torch::from_blob(numbers.data(), {size}, torch::kFloat64), what);
}

std::vector<double> gather_numbers(const Group& group, const std::vector<double>& numbers,
                                   std::string_view what) {
  if (group.is_alone()) return numbers;
  std::vector<double> sizes(static_cast<std::size_t>(group.world()), 0.0);
  const auto own = static_cast<std::size_t>(group.rank());
  sizes[own] = static_cast<double>(numbers.size());
  sum_numbers(group, sizes, what);
  const auto own_place = sizes.begin() + static_cast<std::ptrdiff_t>(own);
  std::vector<double> all(
      static_cast<std::size_t>(std::accumulate(sizes.begin(), sizes.end(), 0.0)), 0.0);
  // Others have zeros where this rank's numbers stand, and x + 0 is x.
  std::ranges::copy(numbers, all.begin() + static_cast<std::ptrdiff_t>(
                                               std::accumulate(sizes.begin(), own_place, 0.0)));
  sum_numbers(group, all, what);
  return all;
}

int greatest(const Group& group, int number, std::string_view what, Patience patience) {
  if (group.is_alone()) return number;
  const Tensor own = torch::tensor({static_cast<std::int64_t>(number)}, torch::kInt64);
  std::int64_t most = number;
  for (const Tensor& one : group.all_gather(own, what, patience))
    most = std::max(most, one.item<std::int64_t>());
  return static_cast<int>(most);
}

std::string text_of_first(const Group& group, const std::string& text, std::string_view what,
                          Patience patience) {
  if (group.is_alone()) return text;
  const Tensor size = torch::tensor({static_cast<std::int64_t>(text.size())}, torch::kInt64);
  group.broadcast(size, 0, what, patience);
  std::string told(static_cast<std::size_t>(size.item<std::int64_t>()), '\0');
  if (told.empty()) return told;
  if (group.is_first()) told = text;
  group.broadcast(
      torch::from_blob(told.data(), {static_cast<std::int64_t>(told.size())}, torch::kUInt8), 0,
      what, patience);
  return told;
}

}  // namespace hone::distributed
