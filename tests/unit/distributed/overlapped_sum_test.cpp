#include "distributed/overlapped_sum.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include <chrono>

#include "base/error.h"
#include "distributed/exchange.h"
#include "support/support.h"
#include "unit/distributed/rank_threads.h"

namespace hone::distributed {
namespace {

using namespace std::chrono_literals;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kBytes = 1000;

/// Leaves of several sizes: 250 floats fill a bucket.
std::vector<Tensor> make_leaves() {
  std::vector<Tensor> leaves;
  for (const std::int64_t size : {100, 400, 30, 60, 200, 10, 700})
    leaves.push_back(torch::linspace(-1, 1, size, torch::kFloat32).requires_grad_());
  return leaves;
}

/// One that the gradient of each leaf comes from, other ones on each rank.
/// @param without the leaf that it leaves out; -1: none
Tensor loss_of(const std::vector<Tensor>& leaves, int rank, int without = -1) {
  Tensor loss = torch::zeros({});
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (static_cast<int>(i) != without)
      loss = loss + torch::sin(leaves[i] * double(3 * rank + static_cast<int>(i) + 1)).sum();
  return loss;
}

/// What each rank's backward passes leave, summed up after them.
std::vector<Tensor> expected(int world, const std::function<void(int, std::vector<Tensor>&)>& act) {
  std::vector<Tensor> sums;
  for (int rank = 0; rank < world; ++rank) {
    std::vector<Tensor> leaves = make_leaves();
    act(rank, leaves);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const Tensor grad =
          leaves[i].grad().defined() ? leaves[i].grad() : torch::zeros_like(leaves[i]);
      if (rank == 0)
        sums.push_back(grad.clone());
      else
        sums[i] += grad;
    }
  }
  return sums;
}

TEST(OverlappedSum, GivesTheSumsOfAllRanks) {
  const int world = 2;
  // The last rank has no micro-batch, the first two of them.
  const auto first = [](int rank, const std::vector<Tensor>& leaves) {
    if (rank == 0) loss_of(leaves, 7).backward();
  };
  const auto last = [](int rank, const std::vector<Tensor>& leaves) {
    if (rank == 0) loss_of(leaves, 0, /*without=*/4).backward();
  };
  const std::vector<Tensor> sums = expected(world, [&](int rank, std::vector<Tensor>& leaves) {
    first(rank, leaves);
    last(rank, leaves);
  });
  as_ranks(world, [&](Group& group) {
    std::vector<Tensor> leaves = make_leaves();
    for (int step = 0; step < 3; ++step) {
      for (Tensor& leaf : leaves) leaf.mutable_grad().reset();
      OverlappedSum sum(group, leaves, kBytes);
      EXPECT_EQ(sum.buckets(), 4u);  // {700}, {10, 200, 60}, {30, 400}, {100}
      first(group.rank(), leaves);
      if (group.rank() == 0) sum.begin();
      last(group.rank(), leaves);
      sum.finish();
      for (std::size_t i = 0; i < leaves.size(); ++i)
        EXPECT_TRUE(torch::equal(leaves[i].grad(), sums[i])) << "leaf " << i << " step " << step;
    }
    group.close();
  });
}

/// The identity, whose backward pass waits until a condition holds.
struct Waiting : torch::autograd::Function<Waiting> {
  /// @param watched a leaf, which the graph shall not know of
  static Tensor forward(AutogradContext* context, const Tensor& x, const c10::IValue& watched) {
    context->saved_data["watched"] = watched;
    return x.clone();
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor watched = context->saved_data["watched"].toTensor();
    const auto begin = std::chrono::steady_clock::now();
    // Of two ranks with gradients of 1, of which only this one is still in its backward pass.
    while (!(watched.grad().defined() && watched.grad()[0].item<float>() == 2) &&
           std::chrono::steady_clock::now() - begin < 10s)
      std::this_thread::sleep_for(1ms);
    return {grads[0] * watched.grad()[0].item<float>(), Tensor()};
  }
};

TEST(OverlappedSum, SendsWhatIsReadyDuringTheBackwardPass) {
  as_ranks(2, [](Group& group) {
    const Tensor early = torch::ones({500}).requires_grad_(),
                 late = torch::ones({500}).requires_grad_();
    OverlappedSum sum(group, std::vector<Tensor>{early, late}, kBytes);
    sum.begin();
    // What is made last is gone through first: `early` waits for the sum of `late`.
    const Tensor waiting = Waiting::apply(early, c10::IValue(late)).sum();
    (waiting + late.sum()).backward();
    sum.finish();
    EXPECT_TRUE(late.grad().eq(2).all().item<bool>());
    EXPECT_TRUE(early.grad().eq(4).all().item<bool>()) << "its own gradient knew late's sum";
    group.close();
  });
}

TEST(OverlappedSum, OfARankThatCannotGoOnHoldsNobodyUp) {
  const auto begin = std::chrono::steady_clock::now();
  as_ranks(
      2,
      [](Group& group) {
        const std::vector<Tensor> leaves = make_leaves();
        if (group.rank() == 0) {
          const auto fail = [&] {
            OverlappedSum sum(group, leaves, kBytes);
            sum.begin();
            loss_of(leaves, 0).backward();  // all is on its way; the other has not begun
            throw DataError("no");
          };
          EXPECT_THROW(fail(), DataError);
          return;
        }
        std::this_thread::sleep_for(200ms);
        const std::string message = test::message_of<DistributedError>([&] {
          OverlappedSum sum(group, leaves, kBytes);
          sum.finish();
          group.barrier("the step");
        });
        EXPECT_TRUE(test::contains(message, "0 left the run") ||
                    test::contains(message, "rank 0 is gone"))
            << message;
      },
      with_patience(600, 600));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

}  // namespace
}  // namespace hone::distributed
