#include "adapters/rank_allocation.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "config/load.h"
#include "io/json.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

/// PEFT's AdaLoRA over twelve steps of plain gradient descent: see make_adalora_schedule.py.
class AdaLora : public testing::Test {
 protected:
  std::filesystem::path folder_ = test::fixture("adapters/adalora_schedule");
  json info_ = io::read_json(folder_ / "info.json");
  model::Decoder decoder_ = model::load_decoder(test::fixture("adapters/_base_llama"), {});
  Adapter adapter_ = load_adapter(test::fixture("adapters/adalora"), decoder_);
  test::FixtureBatch batch_ =
      test::flatten(io::SafetensorsFile(test::fixture("adapters/_base_llama/io.safetensors")));

  AdaLora() {
    for (const auto& [key, value] : info_["schedule"].items())
      adapter_.settings.set(key.c_str(), value);
    for (NamedTensor& named : adapter_.state()) named.tensor.requires_grad_();
    attach(adapter_, decoder_);
  }
  double descend() {
    const Tensor hidden = model::hidden_states(decoder_, batch_.tokens);
    const Tensor logps = model::token_logps(decoder_, hidden, batch_.rows_M, batch_.targets_M);
    const Tensor loss = loss::weighted_nll(logps, torch::ones_like(logps), double(logps.numel())) +
                        adapter_.penalty();
    loss.backward();
    const torch::NoGradGuard no_grad;
    for (NamedTensor& named : adapter_.state())
      named.tensor.sub_(named.tensor.grad() * info_["learning_rate"].get<double>());
    return loss.item<double>();
  }
  json kept_ranks(const RankAllocation& allocation) const {
    return allocation.kept(adapter_).settings.values()["rank_pattern"];
  }
};

TEST_F(AdaLora, CutsTheRanksThatPeftCutsStepByStep) {
  const json& steps = info_["steps"];
  RankAllocation allocation(adapter_, std::ssize(steps));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    // The bar for adapters; differences of rounding grow from step to step.
    EXPECT_NEAR(descend() / steps[i]["loss"].get<double>(), 1, 1e-4) << "step " << i + 1;
    allocation.after_step(std::int64_t(i) + 1);
    for (NamedTensor& named : adapter_.state()) named.tensor.mutable_grad().reset();
    const json kept = kept_ranks(allocation);
    for (const auto& [module, flags] : steps[i]["rank_pattern"].items())
      EXPECT_EQ(kept[module], flags) << "step " << i + 1 << " " << module;
  }
  // What is left is what PEFT saves, and it computes the same.
  const torch::NoGradGuard no_grad;
  const test::TempFolder out;
  save_adapter(allocation.kept(adapter_), out.path(), "base");
  const Tensor trained = model::hidden_states(decoder_, batch_.tokens);
  detach(adapter_, decoder_);
  for (const auto& folder : {out.path(), folder_}) {
    Adapter saved = load_adapter(folder, decoder_);
    attach(saved, decoder_);
    EXPECT_LT(test::relative_error(model::hidden_states(decoder_, batch_.tokens), trained), 1e-4);
    EXPECT_FALSE(allocates_ranks(saved)) << "its budget is spent";
    detach(saved, decoder_);
  }
  std::int64_t left = 0;
  const json kept = kept_ranks(allocation);
  for (const json& flags : kept)
    for (const json& flag : flags) left += flag.get<bool>() ? 1 : 0;
  EXPECT_EQ(left, std::ssize(adapter_.modules) * info_["schedule"]["target_r"].get<int>());
}

TEST_F(AdaLora, GoesOnFromItsStateAsIfItHadNotStopped) {
  RankAllocation through(adapter_, 12);
  for (std::int64_t step = 1; step <= 7; ++step) {
    descend();
    through.after_step(step);
    for (NamedTensor& named : adapter_.state()) named.tensor.mutable_grad().reset();
  }
  RankAllocation resumed(adapter_, 12);
  const std::vector<NamedTensor> from = through.state(), to = resumed.state();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].name, to[i].name);
    Tensor(to[i].tensor).copy_(from[i].tensor);
  }
  EXPECT_EQ(kept_ranks(through), kept_ranks(resumed));
  // Both see the same eighth step; it cuts, and the masks stay alike.
  descend();
  resumed.after_step(8);
  through.after_step(8);
  EXPECT_EQ(kept_ranks(through), kept_ranks(resumed));
}

TEST(RankBudget, ShrinksCubicallyBetweenItsEnds) {
  const RankBudget budget{
      .initial = 100, .target = 20, .tinit = 10, .tfinal = 30, .every = 5, .total_steps = 100};
  EXPECT_EQ(budget.last(), 70);
  EXPECT_EQ(budget.at(10), 100);
  EXPECT_EQ(budget.at(40), 30);  // 80 · (1/2)³ + 20
  EXPECT_EQ(budget.at(70), 20);
  EXPECT_EQ(budget.at(90), 20);
  EXPECT_FALSE(budget.is_due(10));
  EXPECT_TRUE(budget.is_due(15));
  EXPECT_FALSE(budget.is_due(16));
  EXPECT_TRUE(budget.is_due(70));
  EXPECT_FALSE(budget.is_due(75));
  EXPECT_EQ(budget.last_due(8), 10) << "before the first cut nothing is owed";
  EXPECT_EQ(budget.last_due(17), 15);
  EXPECT_EQ(budget.last_due(75), 70);
}

// A step that the guard skips is one that after_step() is not called for.
TEST_F(AdaLora, ACutThatASkippedStepWasToMakeIsMadeAtTheNextGoodOne) {
  RankAllocation allocation(adapter_, 12);
  const auto left = [&] {
    std::int64_t count = 0;
    const json kept = kept_ranks(allocation);
    for (const json& flags : kept)
      for (const json& flag : flags) count += flag.get<bool>() ? 1 : 0;
    return count;
  };
  const std::int64_t target =
      std::ssize(adapter_.modules) * info_["schedule"]["target_r"].get<int>();
  for (std::int64_t step = 1; step <= 12; ++step) {
    descend();
    if (step != 8 && step != 9) allocation.after_step(step);  // the last cuts are due there
    for (NamedTensor& named : adapter_.state()) named.tensor.mutable_grad().reset();
    if (step == 9) {
      EXPECT_GT(left(), target);
    }
    if (step == 10) {
      EXPECT_EQ(left(), target);
    }
  }
  EXPECT_EQ(left(), target);
}

TEST_F(AdaLora, RefusesAScheduleWithoutStepsToCut) {
  adapter_.settings.set("tinit", 9);
  EXPECT_TRUE(test::contains(test::message_of<ConfigError>([&] { RankAllocation(adapter_, 12); }),
                             "leave none of the run's 12 steps"));
}

}  // namespace
}  // namespace hone::adapters
