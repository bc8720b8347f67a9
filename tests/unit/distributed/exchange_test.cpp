#include "distributed/exchange.h"

#include <gtest/gtest.h>

#include <mutex>

#include "unit/distributed/rank_threads.h"

namespace hone::distributed {
namespace {

/// What rank `rank` has of the numbers: sizes from 1e-6 to 1e3, both signs.
Tensor part_of(int rank, std::int64_t numbers) {
  const Tensor at = torch::arange(numbers, torch::kFloat64) + 1000 * rank + 1;
  const Tensor size = torch::pow(10, torch::sin(at * 1.7) * 4.5 - 1.5);
  return (torch::cos(at * 0.9) * size).to(torch::kFloat32);
}

TEST(SumBucket, OfBf16IsWithinItsBoundAndAlikeOnAllRanks) {
  constexpr double kRounding = 1.0 / 256;  // half of the distance of bf16's numbers, relative
  for (const int world : {2, 3, 4}) {
    for (const std::int64_t numbers : {1, 7, 1000, 4099}) {  // not all in even parts
      std::mutex mutex;
      std::vector<Tensor> results;
      as_ranks(world, [&](Group& group) {
        const Tensor whole = part_of(group.rank(), numbers + 3);
        const std::vector<Tensor> tensors = {whole.narrow(0, 0, numbers).clone(),
                                             whole.narrow(0, numbers, 3).view({3, 1}).clone()};
        sum_bucket(group, tensors, torch::kBFloat16, "numbers");
        group.close();
        const std::lock_guard lock(mutex);
        results.push_back(torch::cat({tensors[0], tensors[1].flatten()}));
      });
      ASSERT_EQ(std::ssize(results), world);
      Tensor exact = torch::zeros({numbers + 3}, torch::kFloat64), sizes = exact.clone();
      for (int rank = 0; rank < world; ++rank) {
        const Tensor part = part_of(rank, numbers + 3).to(torch::kFloat64);
        exact += part;
        sizes += part.abs();
      }
      for (const Tensor& result : results) EXPECT_TRUE(torch::equal(result, results[0]));
      const Tensor error = (results[0].to(torch::kFloat64) - exact).abs();
      const Tensor bound = kRounding * (sizes * (1 + kRounding) + exact.abs()) + 1e-6 * sizes;
      EXPECT_TRUE(error.le(bound).all().item<bool>()) << (error / bound).max();
      EXPECT_TRUE(torch::equal(results[0], results[0].to(torch::kBFloat16).to(torch::kFloat32)))
          << "it was sent in bf16";
    }
  }
}

TEST(SumBucket, AddsBf16UpInFp32) {
  // 256 and eight times 1: in bf16, whose next number is 258, each 1 would be lost.
  as_ranks(4, [&](Group& group) {
    const Tensor number = torch::full({5}, group.rank() == 0 ? 256.0f : 1.0f);
    sum_bucket(group, std::vector<Tensor>{number}, torch::kBFloat16, "numbers");
    EXPECT_TRUE(torch::equal(number, torch::full({5}, 260.0f))) << number;  // 259, rounded to even
    group.close();
  });
}

TEST(Group, SendsEachRankItsPart) {
  for (const int world : {2, 3}) {
    as_ranks(world, [&](Group& group) {
      const Tensor own = torch::arange(world * 2, torch::kInt64) + 100 * group.rank();
      const Tensor received = group.all_to_all(own, "numbers");
      ASSERT_EQ(received.sizes(), (std::vector<std::int64_t>{world, 2}));
      for (int rank = 0; rank < world; ++rank)
        for (int i = 0; i < 2; ++i)
          EXPECT_EQ(received[rank][i].item<std::int64_t>(), 100 * rank + 2 * group.rank() + i);
      group.close();
    });
  }
}

TEST(Group, SumsSeveralTensorsAtOnce) {
  as_ranks(3, [](Group& group) {
    std::vector<Tensor> tensors;
    std::vector<Group::Pending> pending;
    for (int i = 0; i < 4; ++i) {
      tensors.push_back(torch::full({2, 3}, float(i + group.rank())).t());  // not contiguous
      pending.push_back(group.all_reduce_async(tensors.back(), "numbers"));
    }
    for (std::size_t i = 4; i > 0; --i) pending[i - 1].wait();
    for (int i = 0; i < 4; ++i)
      EXPECT_TRUE(tensors[std::size_t(i)].eq(3 * i + 3).all().item<bool>()) << i;
    pending[0].wait();  // again is nothing
    group.close();
  });
}

}  // namespace
}  // namespace hone::distributed
