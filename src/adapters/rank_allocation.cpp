#include "adapters/rank_allocation.h"

#include <algorithm>

#include "base/error.h"

namespace hone::adapters {

bool RankBudget::is_due(std::int64_t step) const {
  return step == last() || (step > tinit && step < last() && step % every == 0);
}

std::int64_t RankBudget::last_due(std::int64_t step) const {
  if (step >= last()) return last();
  return std::max(tinit, step - step % every);
}

std::int64_t RankBudget::at(std::int64_t step) const {
  if (step <= tinit) return initial;
  if (step >= last()) return target;
  const double left = 1 - double(step - tinit) / double(last() - tinit);
  return static_cast<std::int64_t>(double(initial - target) * left * left * left + double(target));
}

void RankAllocation::Tracked::update(double beta1, double beta2) {
  if (!weight.grad().defined()) return;
  const Tensor importance = (weight * weight.grad()).abs();
  sensitivity.mul_(beta1).add_(importance, 1 - beta1);
  uncertainty.mul_(beta2).add_((importance - sensitivity).abs(), 1 - beta2);
}

Tensor RankAllocation::Triplets::scores() const {
  return e.score().flatten() + a.score().mean(1) + b.score().mean(0);
}

RankAllocation::RankAllocation(Adapter& adapter, std::int64_t total_steps) {
  const Settings& settings = adapter.settings;
  adapter.settings.set("total_step", total_steps);
  beta1_ = settings.get<double>("beta1");
  beta2_ = settings.get<double>("beta2");
  budget_.tinit = settings.get<std::int64_t>("tinit");
  budget_.tfinal = settings.get<std::int64_t>("tfinal");
  budget_.every = settings.get<std::int64_t>("deltaT");
  budget_.total_steps = total_steps;
  HONE_CHECK(ConfigError, budget_.tinit < budget_.last(),
             "adapter.tinit {} and adapter.tfinal {} leave none of the run's {} steps to allocate "
             "ranks in; expected less than that together",
             budget_.tinit, budget_.tfinal, total_steps);
  const auto tracked = [](const Tensor& weight) {
    return Tracked{weight, torch::zeros_like(weight), torch::zeros_like(weight)};
  };
  for (const AdaptedModule& module : adapter.modules) {
    const Tensors& t = module.tensors;
    const std::int64_t rank = t.at("lora_E").size(0);
    modules_.push_back({module.site.name, tracked(t.at("lora_A")), tracked(t.at("lora_B")),
                        tracked(t.at("lora_E")),
                        torch::ones({rank}, t.at("lora_E").options().requires_grad(false))});
    budget_.initial += rank;
    budget_.target += settings.get<std::int64_t>("target_r");
  }
}

void RankAllocation::after_step(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  if (step < budget_.last())
    for (Triplets& module : modules_)
      for (Tracked* tracked : {&module.a, &module.b, &module.e}) tracked->update(beta1_, beta2_);
  const std::int64_t owed = budget_.at(budget_.last_due(step));
  const bool cuts = budget_.is_due(step) || kept_ranks() > owed;
  if (cuts) cut_to(owed);
  if (cuts || step > budget_.last()) apply_masks();
}

std::int64_t RankAllocation::kept_ranks() const {
  std::int64_t kept = 0;
  for (const Triplets& module : modules_) kept += module.mask.sum().item<std::int64_t>();
  return kept;
}

void RankAllocation::cut_to(std::int64_t budget) {
  std::vector<Tensor> all;
  for (const Triplets& module : modules_) all.push_back(module.scores());
  const std::int64_t cut = budget_.initial - budget;
  if (cut <= 0) return;
  const Tensor threshold = std::get<0>(torch::cat(all).kthvalue(cut));
  for (std::size_t i = 0; i < modules_.size(); ++i) modules_[i].mask.copy_(all[i] > threshold);
}

void RankAllocation::apply_masks() {
  for (Triplets& module : modules_) module.e.weight.mul_(module.mask.unsqueeze(1));
}

std::vector<NamedTensor> RankAllocation::state() const {
  std::vector<NamedTensor> state;
  for (const Triplets& module : modules_) {
    for (const auto& [name, tracked] :
         {std::pair{".lora_A", &module.a}, std::pair{".lora_B", &module.b},
          std::pair{".lora_E", &module.e}}) {
      state.push_back({module.module + name + ".sensitivity", tracked->sensitivity});
      state.push_back({module.module + name + ".uncertainty", tracked->uncertainty});
    }
    state.push_back({module.module + ".kept_ranks", module.mask});
  }
  return state;
}

Adapter RankAllocation::kept(const Adapter& adapter) const {
  const torch::NoGradGuard no_grad;
  Adapter kept = adapter;
  nlohmann::json pattern = nlohmann::json::object();
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    const Tensor mask = modules_[i].mask.to(torch::kBool);
    const Tensor places = mask.nonzero().flatten();
    Tensors& tensors = kept.modules[i].tensors;
    tensors["lora_A"] = tensors.at("lora_A").index_select(0, places);
    tensors["lora_E"] = tensors.at("lora_E").index_select(0, places);
    tensors["lora_B"] = tensors.at("lora_B").index_select(1, places);
    nlohmann::json& flags = pattern[modules_[i].module + ".lora_E"];
    for (const Tensor& flag : mask.cpu().unbind()) flags.push_back(flag.item<bool>());
  }
  kept.settings.set("rank_pattern", std::move(pattern));
  return kept;
}

bool allocates_ranks(const Adapter& adapter) {
  const Settings& settings = adapter.settings;
  return adapter.method->peft_type == std::string("ADALORA") && !settings.says("rank_pattern") &&
         settings.get<std::int64_t>("target_r") < settings.get<std::int64_t>("init_r");
}

}  // namespace hone::adapters
