#include "distributed/group.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/error.h"
#include "distributed/exchange.h"
#include "distributed/strategy.h"
#include "support/support.h"
#include "unit/distributed/rank_threads.h"

namespace hone::distributed {
namespace {

TEST(Group, OfOneChangesNothing) {
  Group group;
  Tensor tensor = torch::arange(4, torch::kFloat32);
  group.all_reduce(tensor, "numbers");
  group.broadcast(tensor, 0, "numbers");
  group.barrier("the test");
  EXPECT_TRUE(torch::equal(tensor, torch::arange(4, torch::kFloat32)));
  EXPECT_EQ(gather_numbers(group, {1, 2}, "numbers"), (std::vector<double>{1, 2}));
  group.close();
}

TEST(Group, CollectivesGiveAllRanksTheSame) {
  for (const int world : {2, 3, 4}) {
    as_ranks(world, [&](Group& group) {
      const auto own = static_cast<float>(group.rank());
      const Tensor sums = torch::full({3, 2}, own + 1);
      group.all_reduce(sums.t(), "numbers");  // not contiguous
      EXPECT_TRUE(torch::equal(sums, torch::full({3, 2}, float(world * (world + 1)) / 2)));
      const Tensor told = torch::full({2}, own);
      group.broadcast(told, world - 1, "numbers");
      EXPECT_EQ(told[1].item<float>(), float(world - 1));
      const std::vector<Tensor> all = group.all_gather(torch::full({1}, own), "numbers");
      ASSERT_EQ(std::ssize(all), world);
      for (int rank = 0; rank < world; ++rank)
        EXPECT_EQ(all[std::size_t(rank)].item<float>(), float(rank));
      group.close();
    });
  }
}

TEST(Group, ExchangesWhatIsNoTensor) {
  as_ranks(3, [](Group& group) {
    // Rank 0 has none, rank 1 one, rank 2 two.
    std::vector<double> own(static_cast<std::size_t>(group.rank()), group.rank() + 0.5);
    EXPECT_EQ(gather_numbers(group, own, "numbers"), (std::vector<double>{1.5, 2.5, 2.5}));
    EXPECT_EQ(greatest(group, group.rank() == 1 ? 7 : 0, "numbers"), 7);
    EXPECT_EQ(text_of_first(group, group.is_first() ? "a/b" : "other", "a text"), "a/b");
    EXPECT_EQ(text_of_first(group, group.is_first() ? "" : "other", "a text"), "");
    group.close();
  });
}

TEST(Strategy, DdpSumsGradientsOfEveryShapeAlsoWhereARankHasNone) {
  as_ranks(2, [](Group& group) {
    std::vector<Tensor> leaves = {torch::zeros({3, 5}), torch::zeros({7}), torch::zeros({2})};
    leaves[0].mutable_grad() = torch::full({3, 5}, group.is_first() ? 1.0f : 0.25f);
    if (group.is_first()) leaves[1].mutable_grad() = torch::arange(7, torch::kFloat32);
    strategy_named("ddp").reduce_gradients(group, leaves);
    EXPECT_TRUE(torch::equal(leaves[0].grad(), torch::full({3, 5}, 1.25f)));
    EXPECT_TRUE(torch::equal(leaves[1].grad(), torch::arange(7, torch::kFloat32)));
    EXPECT_TRUE(torch::equal(leaves[2].grad(), torch::zeros({2})));
    group.close();
  });
}

TEST(Exchange, SumsMoreThanABucketHolds) {
  const std::int64_t size = kBucketBytes / 4 - 10;
  as_ranks(2, [&](Group& group) {
    const std::vector<Tensor> tensors = {torch::ones({size}), torch::ones({20}), torch::ones({30})};
    sum_tensors(group, tensors, "numbers");
    for (const Tensor& tensor : tensors) EXPECT_TRUE(tensor.eq(2).all().item<bool>());
    group.close();
  });
}

TEST(Group, NamesARankThatHasLeft) {
  as_ranks(3, [](Group& group) {
    if (group.rank() == 1) return;
    group.begin_step(7);
    const std::string message = test::message_of<DistributedError>(
        [&] { group.all_reduce(torch::ones({4}), "the gradients"); });
    EXPECT_TRUE(test::contains(message, "all-reduce of the gradients")) << message;
    EXPECT_TRUE(test::contains(message, fmt::format("rank {} of 3: step 7: ", group.rank())))
        << message;
    // The third may have left because of the second.
    EXPECT_TRUE(std::regex_search(message, std::regex("ranks? [0-9, ]*1[0-9, ]* left the run")))
        << message;
  });
}

TEST(Group, WaitsNoLongerThanItWasTold) {
  std::atomic<bool> is_over = false;
  as_ranks(
      2,
      [&](Group& group) {
        group.end_first_step();
        if (group.rank() == 1) {  // lives, and does not come
          while (!is_over) std::this_thread::sleep_for(std::chrono::milliseconds(20));
          return;
        }
        const std::string message = test::message_of<DistributedError>(
            [&] { group.all_reduce(torch::ones({4}), "the gradients"); });
        EXPECT_TRUE(test::contains(message, "within 1 s")) << message;
        is_over = true;
      },
      with_patience(1, 600));
}

TEST(Group, SaysWhereItMetNobody) {
  const Place place = {1, 2, 1, "127.0.0.1", next_port(), "a test"};
  const std::string message =
      test::message_of<DistributedError>([&] { Group::join(place, with_patience(1, 1)); });
  EXPECT_TRUE(test::contains(message, "did not meet the others at 127.0.0.1")) << message;
}

}  // namespace
}  // namespace hone::distributed
