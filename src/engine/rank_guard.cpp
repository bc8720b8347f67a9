#include "engine/rank_guard.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "base/error.h"
#include "engine/kept_tensors.h"

namespace hone::engine {
namespace {

/// Bytes that a core takes at a time.
constexpr std::int64_t kGrain = 256 << 10;

/// Of `size` bytes, of which the first is byte `offset` of its tensor, a multiple of four.
std::uint64_t checksum_of(const std::byte* bytes, std::int64_t offset, std::int64_t size) {
  std::uint64_t sum = 0;
  auto weight = static_cast<std::uint64_t>(offset / 2 + 1);  // 1, 3, 5, … of words 0, 1, 2, …
  std::int64_t at = 0;
  for (; at + 4 <= size; at += 4, weight += 2) {
    std::uint32_t word;
    std::memcpy(&word, bytes + at, sizeof word);
    sum += word * weight;
  }
  std::uint32_t rest = 0;
  std::memcpy(&rest, bytes + at, static_cast<std::size_t>(size - at));
  return sum + rest * weight;
}

/// The ranks that say something else than most of them do. Where no answer has more ranks than the
/// others, nobody knows who is right: all of them.
std::vector<int> dissenters(const std::vector<std::pair<int, std::uint64_t>>& said) {
  std::map<std::uint64_t, int> votes;
  for (const auto& [rank, sum] : said) ++votes[sum];
  if (votes.size() <= 1) return {};
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto most = std::ranges::max_element(votes, by_count);
  const bool is_tie =
      std::ranges::count(votes, most->second, [](const auto& vote) { return vote.second; }) > 1;
  std::vector<int> ranks;
  for (const auto& [rank, sum] : said)
    if (is_tie || sum != most->first) ranks.push_back(rank);
  return ranks;
}

/// Which rows a step is made of, of all ranks' micro-batches.
std::uint64_t checksum_of_rows(const datasets::StepFeed::Step& rows) {
  std::vector<std::int64_t> places;
  for (const datasets::Batch& batch : rows.micro_batches) {
    places.push_back(-batch.tokens());  // a border
    places.insert(places.end(), batch.places.begin(), batch.places.end());
  }
  return checksum(torch::tensor(places, torch::kInt64));
}

}  // namespace

std::uint64_t checksum(const Tensor& tensor) {
  const Tensor here = tensor.detach().to(torch::kCPU).contiguous();
  const auto* bytes = static_cast<const std::byte*>(here.const_data_ptr());
  return at::parallel_reduce(
      0, static_cast<std::int64_t>((here.nbytes() + kGrain - 1) / kGrain), 1, std::uint64_t{0},
      [&](std::int64_t begin, std::int64_t end, std::uint64_t sum) {
        const std::int64_t first = begin * kGrain;
        const std::int64_t last = std::min(end * kGrain, static_cast<std::int64_t>(here.nbytes()));
        return sum + checksum_of(bytes + first, first, last - first);
      },
      std::plus<>());
}

void check_alike(const distributed::Group& group, const std::vector<Checked>& own,
                 std::int64_t step) {
  if (group.is_alone()) return;
  std::vector<std::int64_t> numbers;
  for (const Checked& checked : own)
    numbers.insert(numbers.end(),
                   {checked.begin, checked.elements, static_cast<std::int64_t>(checked.sum)});
  const std::vector<Tensor> all =
      group.all_gather(torch::tensor(numbers, torch::kInt64), "the ranks' checksums");
  for (std::size_t i = 0; i < own.size(); ++i) {
    // By what of the tensor they keep: who says what.
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::pair<int, std::uint64_t>>>
        keepers;
    for (int rank = 0; rank < group.world(); ++rank) {
      const std::int64_t* said =
          all[static_cast<std::size_t>(rank)].const_data_ptr<std::int64_t>() + 3 * i;
      keepers[{said[0], said[1]}].emplace_back(rank, static_cast<std::uint64_t>(said[2]));
    }
    for (const auto& [part, said] : keepers) {
      const std::vector<int> ranks = dissenters(said);
      HONE_CHECK(
          DistributedError, ranks.empty(),
          "step {}: {} is not the same on all ranks: rank {} {}. Something has changed it on "
          "one of them alone: a memory fault, processors that round otherwise, or a bug. What "
          "was trained since the last check is not to be trusted; --resume FOLDER goes on "
          "from a checkpoint before it",
          step, own[i].name, fmt::join(ranks, ", rank "),
          ranks.size() == said.size() ? "have each their own" : "differs from the others");
    }
  }
}

void check_ranks(const Session& session, std::int64_t step, const datasets::StepFeed::Step& rows) {
  if (session.group.is_alone()) return;
  const torch::NoGradGuard no_grad;
  std::vector<Checked> own = {{"the step's number", 0, 1, static_cast<std::uint64_t>(step)},
                              {"the choice of rows", 0, 1, checksum_of_rows(rows)}};
  for (const KeptTensor& kept : trained_of(session))
    own.push_back(
        {kept.name, kept.part ? kept.part->begin : 0, kept.tensor.numel(), checksum(kept.tensor)});
  check_alike(session.group, own, step);
}

}  // namespace hone::engine
