#include "trainers/dpo/alarms.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace hone::dpo {
namespace {

/// Steps before anything is said: a few say nothing.
constexpr std::int64_t kFirstStep = 10;
/// What a step adds to the running means.
constexpr double kShare = 0.1;

constexpr std::array kWatched = {"rewards/chosen", "rewards/rejected", "rewards/margins", "drift",
                                 "margin_per_token"};

/// Recent means, by name.
struct Recent {
  double chosen, rejected;  ///< nats an answer against the reference
  double margin, drift, margin_per_token;
};

struct Alarm {
  bool (*rings)(const Recent& recent);
  std::string (*says)(const Recent& recent);
};

constexpr double kFallenNats = 2, kGrownMargin = 0.1, kFarNats = 0.5;

const std::array<Alarm, Alarms::kKinds> kAlarms = {{
    {[](const Recent& r) { return r.chosen < -kFallenNats && r.rejected < -kFallenNats; },
     [](const Recent& r) {
       return fmt::format(
           "both answers have become less likely than under the reference, by {:.1f} (chosen) and "
           "{:.1f} (rejected) nats an answer: the policy moves away from both, to answers that "
           "nobody compared. dpo.rpo_alpha, or a lower learning rate, keeps the chosen ones likely",
           -r.chosen, -r.rejected);
     }},
    {[](const Recent& r) { return r.margin > kGrownMargin && r.margin_per_token <= 0; },
     [](const Recent& r) {
       return fmt::format(
           "the margin is {:.2f}, and token by token the chosen answers gain nothing on the "
           "rejected ones: it grows by the answers' lengths. dpo.ld_alpha, or loss_type "
           "sigmoid_norm or ipo, takes the length out",
           r.margin);
     }},
    {[](const Recent& r) { return r.drift > kFarNats; },
     [](const Recent& r) {
       return fmt::format(
           "the policy is {:.2f} nats a token from the reference: far enough to have forgotten "
           "what the pairs do not show. A higher dpo.beta, a lower learning rate or fewer epochs "
           "hold it",
           r.drift);
     }},
}};

}  // namespace

void Alarms::watch(std::int64_t step, const report::Metrics& metrics, double beta) {
  ++steps_;
  // A mean of all steps at first, of about the last 1 / kShare later.
  const double share = std::max(kShare, 1.0 / static_cast<double>(steps_));
  for (std::size_t i = 0; i < kWatched.size(); ++i) {
    const auto found = std::ranges::find(metrics, std::string(kWatched[i]),
                                         [](const auto& metric) { return metric.first; });
    HONE_ASSERT(found != metrics.end(), "{}", kWatched[i]);
    means_[i] += share * (std::get<double>(found->second) - means_[i]);
  }
  if (steps_ < kFirstStep) return;
  const Recent recent = {means_[0] / beta, means_[1] / beta, means_[2], means_[3], means_[4]};
  for (std::size_t i = 0; i < kKinds; ++i) {
    if (told_[i] || !kAlarms[i].rings(recent)) continue;
    told_[i] = true;
    log::warn("step {}: {}", step, kAlarms[i].says(recent));
  }
}

}  // namespace hone::dpo
