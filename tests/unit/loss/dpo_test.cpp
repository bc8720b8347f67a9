#include "loss/dpo.h"

#include "base/error.h"
#include "unit/loss/fixture.h"

namespace hone::loss {
namespace {

using torch::Tensor;

DpoSettings settings_of(const nlohmann::json& c) {
  DpoSettings settings;
  settings.loss_type = c["loss_type"].get<std::vector<std::string>>();
  if (!c.value("loss_weights", nlohmann::json()).is_null())
    settings.loss_weights = c["loss_weights"].get<std::vector<double>>();
  settings.beta = c["beta"];
  settings.label_smoothing = c["label_smoothing"];
  settings.f_divergence_type = c["f_divergence_type"];
  settings.f_alpha_divergence_coef = c.value("f_alpha_divergence_coef", 0.5);
  settings.discopop_tau = c.value("discopop_tau", 0.05);
  return settings;
}

/// TRL 1.16's cases: per-token log-probabilities, the chosen answers' rows first.
struct TokenCases : LossFixture {
  TokenCases() : LossFixture("dpo") {
    policy = read("policy_logps");
    ref = read("ref_logps");
    mask = read("completion_mask");
    tokens = mask.sum(1);
    pairs = policy.size(0) / 2;
  }

  std::vector<std::int64_t> lengths(bool chosen) const {
    const Tensor half = chosen ? tokens.slice(0, 0, pairs) : tokens.slice(0, pairs);
    std::vector<std::int64_t> list;
    for (std::int64_t i = 0; i < pairs; ++i) list.push_back(half[i].item<std::int64_t>());
    return list;
  }

  /// What each token counts, [2P, S]: the flat weights put back where the tokens stand.
  Tensor desensitised(double ld_alpha) const {
    const Tensor flat = length_desensitised_weights(lengths(true), lengths(false), ld_alpha);
    Tensor weights = torch::zeros_like(mask);
    std::int64_t at = 0;
    for (std::int64_t pair = 0; pair < pairs; ++pair)
      for (const std::int64_t row : {pair, pair + pairs})
        for (std::int64_t s = 0; s < mask.size(1); ++s)
          if (mask[row][s].item<float>() != 0) weights[row][s] = flat[at++];
    EXPECT_EQ(at, flat.numel());
    return weights;
  }

  Tensor wpo() const {
    const Tensor aligned = (policy - read("log_sum_sq_probs")) * mask;
    const Tensor mean = aligned.sum(1) / tokens;
    return wpo_weights(mean.slice(0, 0, pairs), mean.slice(0, pairs));
  }

  Tensor policy, ref, mask, tokens;
  std::int64_t pairs;
};

TEST(DpoLoss, AgreesWithTrlInValueAndGradient) {
  const TokenCases data;
  int compared = 0;
  for (const nlohmann::json& c : data.cases) {
    const std::string name = c["name"];
    if (name.starts_with("v024_")) continue;
    // TRL 1.16 passes label_smoothing over here; the v024 cases have it.
    if (name == "sigmoid_ls0.1") continue;
    const Tensor policy = data.policy.clone().requires_grad_();
    const Tensor weights = c["ld_alpha"].is_null() ? data.mask : data.desensitised(c["ld_alpha"]);
    const Tensor sums = (policy * weights).sum(1), ref = (data.ref * weights).sum(1);
    const auto half = [&](const Tensor& x, bool chosen) {
      return chosen ? x.slice(0, 0, data.pairs) : x.slice(0, data.pairs);
    };
    const PairLosses result =
        dpo_loss({half(sums, true), half(sums, false), half(ref, true), half(ref, false),
                  half(data.tokens, true), half(data.tokens, false)},
                 settings_of(c));
    const Tensor losses =
        c["use_weighting"].get<bool>() ? result.losses * data.wpo() : result.losses;
    const Tensor loss = losses.mean();
    loss.backward();
    expect_loss(loss, c["loss"], name);
    expect_close(policy.grad(), data.read("grad." + name), name);
    expect_loss(result.chosen_rewards.mean(), c["metrics"]["rewards/chosen"], name);
    expect_loss(result.rejected_rewards.mean(), c["metrics"]["rewards/rejected"], name);
    ++compared;
  }
  EXPECT_GE(compared, 50);
}

// The older forms, on sums: label smoothing counts, IPO is not averaged, BCO has its shift, and
// the coefficient of the α-divergence is 1 − that of 1.16.
TEST(DpoLoss, AgreesWithTheOlderFormsOfTrl) {
  const LossFixture data("dpo");
  int compared = 0;
  for (const nlohmann::json& c : data.cases) {
    const std::string name = c["name"];
    if (!name.starts_with("v024_")) continue;
    DpoSettings settings = settings_of(c);
    if (settings.loss_type[0] == "aot_pair") settings.loss_type[0] = "aot_unpaired";
    settings.f_alpha_divergence_coef = 1.0 - c["alpha_divergence_coef"].get<double>();
    settings.reward_shift = c["delta"];
    const Tensor chosen = data.read("policy_chosen_logps").requires_grad_();
    const Tensor rejected = data.read("policy_rejected_logps").requires_grad_();
    const Tensor one = torch::ones_like(chosen).detach();
    const PairLosses result = dpo_loss({chosen, rejected, data.read("ref_chosen_logps"),
                                        data.read("ref_rejected_logps"), one, one},
                                       settings);
    const Tensor loss = result.losses.mean();
    loss.backward();
    expect_loss(loss, c["loss"], name);
    expect_close(result.losses, data.read("per_sequence." + name), name);
    expect_close(chosen.grad(), data.read("grad_chosen." + name), name);
    expect_close(rejected.grad(), data.read("grad_rejected." + name), name);
    ++compared;
  }
  EXPECT_GE(compared, 25);
}

PairLogps some_pairs() {
  torch::manual_seed(4);
  return {-torch::rand({5}) * 9, -torch::rand({5}) * 9,  -torch::rand({5}) * 9,
          -torch::rand({5}) * 9, torch::full({5}, 4.0f), torch::full({5}, 7.0f)};
}

TEST(DpoLoss, RobustIsUnbiasedUnderFlippedLabels) {
  const PairLogps pairs = some_pairs();
  const PairLogps flipped{pairs.rejected,   pairs.chosen,          pairs.ref_rejected,
                          pairs.ref_chosen, pairs.rejected_tokens, pairs.chosen_tokens};
  DpoSettings robust;
  robust.loss_type = {"robust"};
  robust.label_smoothing = 0.2;
  const Tensor noisy =
      dpo_loss(pairs, robust).losses * 0.8 + dpo_loss(flipped, robust).losses * 0.2;
  EXPECT_TRUE(torch::allclose(noisy, dpo_loss(pairs, {}).losses, 1e-5, 1e-6));
}

// −log σ(βΔ − m): a margin of βΔ leaves the loss at log 2.
TEST(DpoLoss, APairsMarginIsTakenOffItsDifference) {
  PairLogps pairs = some_pairs();
  pairs.margins = 0.1 * (pairs.chosen - pairs.ref_chosen - pairs.rejected + pairs.ref_rejected);
  for (const char* type : {"sigmoid", "robust", "discopop"})
    EXPECT_TRUE(
        torch::allclose(dpo_loss(pairs, {.loss_type = {type}}).losses,
                        torch::full({5}, std::string(type) == "discopop" ? 0.5 * std::log(2.0) + 0.5
                                                                         : std::log(2.0)),
                        1e-5, 1e-6))
        << type;
}

// Pairs in two parts, each told what the whole's mean is.
TEST(DpoLoss, TheChosenAnswersLikelihoodIsOneMeanOverParts) {
  PairLogps pairs = some_pairs();
  pairs.chosen_tokens = torch::tensor({3.0f, 9.0f, 2.0f, 7.0f, 4.0f});
  DpoSettings settings = {.loss_type = {"sft"}};
  const double whole = dpo_loss(pairs, settings).losses.mean().item<double>();
  settings.mean_chosen_tokens = 5;
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    const auto cut = [&](const Tensor& x) { return x.slice(0, begin, end); };
    return dpo_loss({cut(pairs.chosen), cut(pairs.rejected), cut(pairs.ref_chosen),
                     cut(pairs.ref_rejected), cut(pairs.chosen_tokens), cut(pairs.rejected_tokens)},
                    settings)
        .losses.sum()
        .item<double>();
  };
  EXPECT_NEAR((part(0, 2) + part(2, 5)) / 5, whole, 1e-6);
}

TEST(DpoLoss, WrongNamesAndWeightsAreRefusedWithWhatExists) {
  DpoSettings settings;
  settings.loss_type = {"sigmoidal"};
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { dpo_loss(some_pairs(), settings); }), "sigmoid, hinge"));
  settings.loss_type = {"sigmoid", "sft"};
  settings.loss_weights = {1.0};
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { dpo_loss(some_pairs(), settings); }), "1 weights for 2"));
  settings = {};
  settings.f_divergence_type = "kl";
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { dpo_loss(some_pairs(), settings); }), "reverse_kl"));
}

}  // namespace
}  // namespace hone::loss
