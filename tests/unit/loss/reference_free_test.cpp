#include "base/error.h"
#include "loss/cpo.h"
#include "loss/odds_ratio.h"
#include "loss/reward.h"
#include "unit/loss/fixture.h"

namespace hone::loss {
namespace {

using torch::Tensor;

/// Batches of TRL's get_batch_loss_metrics: logits of all rows, the chosen answers' first.
struct LogitsFixture : LossFixture {
  explicit LogitsFixture(const std::string& name) : LossFixture(name) {
    logits = read("logits").requires_grad_();
    const Tensor targets = read("labels").to(torch::kInt64).slice(1, 1);
    answered = (targets != -100).to(torch::kFloat32);
    answer_logps = token_logps(targets.clamp_min(0)) * answered;
  }

  Tensor token_logps(const Tensor& targets) const {
    return torch::log_softmax(logits, -1)
        .slice(1, 0, logits.size(1) - 1)
        .gather(2, targets.unsqueeze(-1))
        .squeeze(-1);
  }

  Tensor half(const Tensor& x, bool chosen) const {
    const std::int64_t pairs = x.size(0) / 2;
    return chosen ? x.slice(0, 0, pairs) : x.slice(0, pairs);
  }

  /// The chosen rows' mean over all the tokens that `counted` [2P, S−1] keeps.
  Tensor nll(const Tensor& logps, const Tensor& counted) const {
    return -(half(logps, true) * half(counted, true)).sum() / half(counted, true).sum();
  }

  Tensor logits, answered, answer_logps;
};

TEST(OddsRatioLoss, AgreesWithTrlInValueAndGradient) {
  LogitsFixture data("orpo");
  // ORPO's likelihood in TRL runs over prompt and completion, though not over what is padded.
  const Tensor whole = data.token_logps(data.read("input_ids").to(torch::kInt64).slice(1, 1));
  const Tensor present = data.read("attention_mask").slice(1, 1);
  for (const nlohmann::json& c : data.cases) {
    const std::string i = std::to_string(c["i"].get<int>());
    data.logits.mutable_grad().reset();
    const Tensor averages = data.answer_logps.sum(1) / data.answered.sum(1);
    const PairLosses result =
        odds_ratio_loss(data.half(averages, true), data.half(averages, false), c["beta"]);
    const Tensor loss = data.nll(whole, present) + result.losses.mean();
    loss.backward({}, /*retain_graph=*/true);
    expect_loss(loss, c["loss"], i);
    expect_close(data.logits.grad(), data.read("grad." + i), i);
    expect_loss(result.chosen_rewards.mean(), c["metrics"]["rewards/chosen"], i);
  }
}

TEST(CpoLoss, AgreesWithTrlInValueAndGradient) {
  LogitsFixture data("cpo");
  for (const nlohmann::json& c : data.cases) {
    const std::string i = std::to_string(c["i"].get<int>());
    data.logits.mutable_grad().reset();
    const CpoSettings settings{.loss_type = c["loss_type"],
                               .beta = c["beta"],
                               .label_smoothing = c["label_smoothing"],
                               .simpo_gamma = c["simpo_gamma"],
                               .alpha = c["alpha"]};
    Tensor logps = data.answer_logps.sum(1);
    if (cpo_averages(settings.loss_type)) logps = logps / data.answered.sum(1);
    const PairLosses result = cpo_loss(data.half(logps, true), data.half(logps, false), settings);
    const Tensor loss = result.losses.mean() +
                        data.nll(data.answer_logps, data.answered) * c["cpo_alpha"].get<double>();
    loss.backward({}, /*retain_graph=*/true);
    expect_loss(loss, c["loss"], i);
    expect_close(data.logits.grad(), data.read("grad." + i), i);
    expect_loss(result.chosen_rewards.mean(), c["metrics"]["rewards/chosen"], i);
    expect_loss(result.rejected_rewards.mean(), c["metrics"]["rewards/rejected"], i);
  }
  EXPECT_THROW(cpo_loss(torch::zeros({1}), torch::zeros({1}), {.loss_type = "dpo"}), ConfigError);
}

// Down to probabilities next to 1, where the naive form is log(0), and with gradients that stay
// finite on both sides of the border between the two forms.
TEST(Log1mexp, KeepsItsDigits) {
  const Tensor x =
      torch::tensor({-1e-6, -1e-3, -0.5, -0.69, -0.7, -3.0, -30.0, -80.0}, torch::kFloat64);
  const Tensor single = x.to(torch::kFloat32).requires_grad_();
  const Tensor result = log1mexp(single);
  const Tensor expected =
      torch::where(x < -1, torch::log1p(-torch::exp(x)), torch::log(-torch::expm1(x)));
  EXPECT_TRUE(torch::allclose(result.to(torch::kFloat64), expected, 1e-6, 0));
  result.sum().backward();
  const Tensor slope = -torch::exp(x) / (-torch::expm1(x));
  EXPECT_TRUE(torch::allclose(single.grad().to(torch::kFloat64), slope, 1e-5, 0));
  EXPECT_TRUE(std::isfinite(log1mexp(torch::zeros({1})).item<float>()));
}

TEST(BradleyTerryLoss, AgreesWithTrlInValueAndGradient) {
  const LossFixture data("reward");
  for (const nlohmann::json& c : data.cases) {
    const std::string i = std::to_string(c["i"].get<int>());
    const Tensor rewards = data.read("rewards").requires_grad_();
    const std::int64_t pairs = rewards.size(0) / 2;
    std::optional<Tensor> margin;
    if (c["margin"].get<bool>()) margin = data.read("margin");
    const nlohmann::json& center = c["center_rewards_coefficient"];
    const Tensor loss = bradley_terry_loss(rewards.squeeze(-1).slice(0, 0, pairs),
                                           rewards.squeeze(-1).slice(0, pairs), margin,
                                           center.is_null() ? 0.0 : center.get<double>())
                            .mean();
    loss.backward();
    expect_loss(loss, c["loss"], i);
    expect_close(rewards.grad(), data.read("grad." + i), i);
  }
}

}  // namespace
}  // namespace hone::loss
