#include "base/error.h"
#include "loss/bco.h"
#include "loss/kto.h"
#include "unit/loss/fixture.h"

namespace hone::loss {
namespace {

using torch::Tensor;

TEST(KtoLoss, AgreesWithTrlInValueAndGradient) {
  const LossFixture data("kto");
  const Tensor desirable = data.read("label") != 0;
  const Tensor mask = data.read("completion_mask");
  const Tensor kl_policy = data.read("KL_policy_logps").sum(1);
  const Tensor kl_ref = data.read("KL_ref_logps").sum(1);
  for (const nlohmann::json& c : data.cases) {
    const std::string name = c["name"];
    const Tensor policy = data.read("policy_logps").requires_grad_();
    const bool swapped = c["kl_from"].get<std::string>().starts_with("KL_ref");
    const Tensor baseline =
        swapped ? kto_baseline(kl_ref, kl_policy) : kto_baseline(kl_policy, kl_ref);
    if (c["loss_type"] == "kto") expect_loss(baseline, c["kl"], name);
    const Tensor loss =
        kto_loss((policy * mask).sum(1), data.read("ref_logps").sum(1), desirable, baseline,
                 {.loss_type = c["loss_type"],
                  .beta = c["beta"],
                  .desirable_weight = c["desirable_weight"],
                  .undesirable_weight = c["undesirable_weight"]})
            .losses.mean();
    loss.backward();
    expect_loss(loss, c["loss"], name);
    expect_close(policy.grad(), data.read("grad." + name), name);
  }
  EXPECT_GE(data.cases.size(), 12u);
}

TEST(KtoLoss, NoGradientGoesThroughTheBaseline) {
  const Tensor policy = torch::tensor({-1.0f, -2.0f}).requires_grad_();
  const Tensor baseline = kto_baseline(policy, torch::tensor({-3.0f, -3.0f}));
  EXPECT_FLOAT_EQ(baseline.item<float>(), 1.5f);
  EXPECT_FALSE(baseline.requires_grad());
  EXPECT_EQ(kto_baseline(torch::tensor({-5.0f}), torch::tensor({-3.0f})).item<float>(), 0.0f);
  const Tensor desirable = torch::tensor({true, false});
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] {
                               kto_loss(policy, policy, desirable, baseline, {.loss_type = "bco"});
                             }),
                             "apo_zero_unpaired"));
}

// Four steps that share the running moments: their order is part of the numbers.
TEST(BcoLoss, AgreesWithTrlOverConsecutiveSteps) {
  const LossFixture data("bco");
  RewardMoments moments;
  for (const nlohmann::json& c : data.cases) {
    const std::string step = std::to_string(c["step"].get<int>());
    const auto read = [&](const std::string& name) { return data.read(step + "." + name); };
    const Tensor chosen = read("policy_chosen").requires_grad_();
    const Tensor rejected = read("policy_rejected").requires_grad_();
    const Tensor desirable = torch::arange(chosen.numel() + rejected.numel()) < chosen.numel();
    const Tensor policy = torch::cat({chosen, rejected});
    const Tensor ref = torch::cat({read("ref_chosen"), read("ref_rejected")});
    const double beta = c["beta"];
    moments.update((policy - ref) * beta);
    const RowLosses result = bco_loss(policy, ref, desirable, beta, moments.mean);
    const Tensor loss = result.losses.mean();
    loss.backward();
    expect_loss(loss, c["loss"], step);
    expect_close(result.losses, read("per_sequence"), step);
    expect_close(chosen.grad(), read("grad_chosen"), step);
    expect_close(rejected.grad(), read("grad_rejected"), step);
    EXPECT_NEAR(moments.mean, c["running_mean"].get<double>(), 1e-6);
    // TRL states the deviation of a sample, hone keeps the variance of the population.
    const double sample = moments.variance * moments.count / (moments.count - 1);
    EXPECT_NEAR(std::sqrt(sample), c["running_std"].get<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace hone::loss
