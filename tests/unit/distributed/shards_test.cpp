#include "distributed/shards.h"

#include <ATen/ops/linear.h>

#include <algorithm>
#include <mutex>

#include "unit/distributed/rank_threads.h"

namespace hone::distributed {
namespace {

/// Tensors of several sizes and dtypes, the same on all ranks.
std::vector<Tensor> some_tensors() {
  return {torch::arange(5000, torch::kFloat32).view({50, 100}), torch::arange(7, torch::kFloat32),
          torch::arange(300, torch::kFloat32).to(torch::kBFloat16),
          torch::arange(1001, torch::kInt64).remainder(251).to(torch::kUInt8)};
}

std::size_t bytes_in_storage(const Tensor& tensor) { return tensor.storage().nbytes(); }

TEST(Shards, GiveBackEveryTensorThatWasReleasedAndAllViewsOfIt) {
  for (const int world : {1, 2, 3, 4}) {
    as_parting_ranks(world, [](Group& group) {
      const std::vector<Tensor> expected = some_tensors(), own = some_tensors();
      const Tensor view = own[0].t();
      const auto version = own[0]._version();
      Shards shards(group, {{own[0]}, {own[1]}, {own[2]}, {own[3]}}, "weights");
      shards.release();
      for (const Tensor& tensor : own) EXPECT_EQ(bytes_in_storage(tensor), 0u);
      shards.gather();
      for (std::size_t i = 0; i < own.size(); ++i) EXPECT_TRUE(own[i].equal(expected[i])) << i;
      EXPECT_TRUE(view.equal(expected[0].t()));
      EXPECT_EQ(own[0]._version(), version);
    });
  }
}

TEST(Shards, KeepEveryElementOnOneRankAndCutAtTheGrain) {
  constexpr std::int64_t kGrain = 256;
  constexpr int kWorld = 3;
  std::mutex mutex;
  std::vector<int> keepers(5000, 0);
  std::int64_t most = 0;
  as_parting_ranks(kWorld, [&](Group& group) {
    const std::vector<Tensor> own = some_tensors();
    const Shards shards(group, {{own[0], kGrain}, {own[1], kGrain}}, "weights");
    const OwnPart& part = shards.parts()[0];
    const std::lock_guard lock(mutex);
    for (std::int64_t i = 0; i < part.tensor.numel(); ++i) {
      ++keepers[std::size_t(part.begin + i)];
      EXPECT_EQ(part.tensor[i].item<float>(), float(part.begin + i));
    }
    EXPECT_TRUE(part.begin % kGrain == 0 || part.begin == 5000) << part.begin;
    most = std::max(most, part.tensor.numel() + shards.parts()[1].tensor.numel());
  });
  EXPECT_EQ(keepers, std::vector<int>(5000, 1));
  EXPECT_LE(most, 5007 / kWorld + 2 * kGrain);
}

TEST(Shards, DealTensorsWholeThatAreNeverCut) {
  std::mutex mutex;
  std::vector<int> keepers(3, 0);
  as_parting_ranks(2, [&](Group& group) {
    const std::vector<Tensor> own = {torch::ones({4, 5}), torch::ones({2, 5}), torch::ones({2, 5})};
    Shards shards(group, {{own[0], Divided::kNever}, {own[1], Divided::kNever}, {own[2]}},
                  "weights");
    std::int64_t kept = 0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Tensor& part = shards.parts()[i].tensor;
      if (part.numel() == 0) continue;
      EXPECT_EQ(part.sizes(), own[i].sizes());
      kept += part.numel();
      const std::lock_guard lock(mutex);
      ++keepers[i];
    }
    EXPECT_EQ(kept, 20);
    shards.release();
    shards.gather();
    for (const Tensor& tensor : own) EXPECT_TRUE(tensor.eq(1).all().item<bool>());
  });
  EXPECT_EQ(keepers, std::vector<int>(3, 1));
}

TEST(Shards, ReachWhatAutogradSavedAndSumItsGradient) {
  constexpr int kWorld = 2;
  as_parting_ranks(kWorld, [](Group& group) {
    const Tensor x = torch::arange(12, torch::kFloat32).view({3, 4}).requires_grad_();
    const Tensor weight = torch::arange(8, torch::kFloat32).view({2, 4}).requires_grad_();
    const Tensor before = weight.detach().clone();
    Shards shards(group, {{weight}}, "weights");
    shards.release();
    shards.gather();
    const Tensor y = at::linear(x, weight);
    shards.release();
    shards.gather();
    y.sum().backward();
    EXPECT_TRUE(x.grad().equal(before.sum(0).expand({3, 4})));
    std::vector<Tensor> gradients = {weight.grad() * float(group.rank() + 1)};
    shards.sum_gradients(gradients);
    shards.sum_gradients(gradients);  // which are gone: zeros
    const OwnPart& part = shards.parts()[0];
    const Tensor whole = (x.detach().sum(0).expand({2, 4}) * 3).reshape({-1});
    EXPECT_TRUE(part.tensor.grad().equal(whole.narrow(0, part.begin, part.tensor.numel())));
  });
}

TEST(Shards, RoundAMastersNumbersToTheWhole) {
  as_parting_ranks(2, [](Group& group) {
    const Tensor master = torch::arange(64, torch::kFloat32) / 7;
    const Tensor whole = master.to(torch::kBFloat16);
    Shards shards(group, {{.whole = whole, .master = master}}, "weights");
    const OwnPart& part = shards.parts()[0];
    EXPECT_TRUE(part.tensor.equal(master.narrow(0, part.begin, part.tensor.numel())));
    shards.release();
    part.tensor.add_(1);
    shards.gather();
    EXPECT_TRUE(whole.equal((master + 1).to(torch::kBFloat16)));
  });
}

TEST(Shards, LetWholesFollowTheirPartsWhereTheyStay) {
  as_parting_ranks(3, [](Group& group) {
    const Tensor whole = torch::arange(1000, torch::kFloat32);
    Shards shards(group, {{whole}}, "weights");
    shards.settle();
    shards.parts()[0].tensor.mul_(2);
    shards.share();
    EXPECT_TRUE(whole.equal(torch::arange(1000, torch::kFloat32) * 2));
  });
}

TEST(Group, SplitsIntoPartsThatExchangeAmongThemselves) {
  as_parting_ranks(4, [](Group& group) {
    const Group part = group.split(group.rank() / 2, "halves");
    EXPECT_EQ(part.world(), 2);
    EXPECT_EQ(part.rank(), group.rank() % 2);
    const Tensor sum = torch::full({1}, float(group.rank()));
    part.all_reduce(sum, "numbers");
    EXPECT_EQ(sum.item<float>(), group.rank() < 2 ? 1 : 5);
    const Tensor all = torch::full({4}, float(group.rank()));
    part.reduce_scatter(all, "numbers");
    EXPECT_EQ(all[2 * part.rank()].item<float>(), group.rank() < 2 ? 1 : 5);
    group.barrier("the test");
  });
}

}  // namespace
}  // namespace hone::distributed
