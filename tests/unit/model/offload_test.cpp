#include "model/offload.h"

#include <c10/util/intrusive_ptr.h>

#include "model/recompute.h"
#include "support/support.h"

namespace hone::model {
namespace {

PutBack nothing_to_put_back() {
  return [] {};
}

TEST(HostCopy, GivesTheBitsBackInATensorOfItsOwn) {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16, torch::kFloat16}) {
    const Tensor x = torch::randn({7, 10}).to(dtype).t();
    const Tensor before = x.clone();
    const HostCopy copy(x);
    Tensor(x).zero_();
    const Tensor fetched = copy.fetched();
    EXPECT_TRUE(fetched.equal(before));
    EXPECT_EQ(fetched.scalar_type(), dtype);
    EXPECT_EQ(fetched.device(), x.device());
    Tensor(fetched).zero_();
    EXPECT_TRUE(copy.fetched().equal(before)) << "it can be fetched again";
  }
}

/// Two layers, of which the second's input is made and let go in here.
struct Passed {
  Tensor loss;
  c10::weak_intrusive_ptr<c10::StorageImpl> between;  ///< the memory of the second's input
};

Passed pass(const Tensor& x, const Tensor& weight) {
  const Piece layer = [weight](const Tensor& in) { return in.matmul(weight).tanh(); };
  const Tensor between = recomputed(layer, x, nothing_to_put_back);
  const Tensor end = recomputed(layer, between, nothing_to_put_back);
  return {end.square().sum(), between.storage().getWeakStorageImpl()};
}

TEST(Offload, GivesTheSameBitsAndLetsInputsGo) {
  torch::manual_seed(2);
  const Tensor x = torch::randn({9, 16}).requires_grad_();
  const Tensor weight = torch::randn({16, 16}).requires_grad_();
  const Passed kept = pass(x, weight);
  EXPECT_FALSE(kept.between.expired());
  kept.loss.backward();
  const Tensor of_x = x.grad().clone(), of_weight = weight.grad().clone();
  Tensor(x).mutable_grad().reset();
  Tensor(weight).mutable_grad().reset();

  Passed offloaded = [&] {
    const OffloadGuard guard;
    EXPECT_TRUE(offloads());
    return pass(x, weight);
  }();
  EXPECT_FALSE(offloads());
  EXPECT_TRUE(offloaded.between.expired());
  EXPECT_TRUE(offloaded.loss.equal(kept.loss));
  offloaded.loss.backward();
  EXPECT_TRUE(x.grad().equal(of_x));
  EXPECT_TRUE(weight.grad().equal(of_weight));
}

}  // namespace
}  // namespace hone::model
