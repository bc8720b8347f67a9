#include "engine/guard.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/log.h"

namespace hone::engine {
namespace {

using namespace config;
using nlohmann::json;

/// Spikes are looked for once so many steps are known: the spread of fewer says little.
constexpr std::size_t kFewestSteps = 16;
/// A median absolute deviation of normal numbers is this part of their standard deviation's
/// inverse.
constexpr double kDeviationsPerMad = 1.4826;
/// Of the median, where that is more than the spread: a curve as flat as a table has no outliers.
constexpr double kLeastDeviation = 0.05;

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

void check_threshold(const GuardOptions& options, Problems& problems) {
  if (problems.given("spike_zscore") && options.on_spike == "ignore")
    problems.add("spike_zscore", "has no effect where guard.on_spike is ignore");
}

}  // namespace

const Table<GuardOptions>& GuardOptions::table() {
  static const Table<GuardOptions> table(
      "guard", "What becomes of a step that would do harm; it is found before it reaches a weight.",
      {field("on_non_finite", &GuardOptions::on_non_finite, "stop",
             choices({"stop", "skip", "rollback"}),
             "A loss or gradient that is NaN or infinite. stop: the run ends and says why. skip: "
             "the step changes nothing and the next one follows. rollback: weights and moments "
             "become those of the last checkpoint that save_steps made, and the run goes on behind "
             "the step, so that none of the rows in between are seen again."),
       field("on_spike", &GuardOptions::on_spike, "report",
             choices({"ignore", "report", "skip", "rollback", "stop"}),
             "A loss or gradient norm far above those of the last steps. report: the step is used, "
             "and told of."),
       field("window", &GuardOptions::window, 128, at_least(16), at_most(100000),
             unit("optimizer steps"), "The steps that a spike is held against."),
       field("spike_zscore", &GuardOptions::spike_zscore, 15.0, above(0),
             unit("standard deviations"),
             "What makes a spike, above the window's median; the standard deviation is 1.4826 "
             "times the median absolute deviation, and no less than 5 % of the median."),
       field("max_in_a_row", &GuardOptions::max_in_a_row, 10, at_least(1), unit("optimizer steps"),
             "After so many harmful steps running the run stops: it is not the rows then."),
       check<GuardOptions>("spike_zscore is set only where spikes are looked for.",
                           check_threshold)});
  return table;
}

double robust_z_score(double value, std::vector<double> earlier) {
  const double median = median_of(earlier);
  for (double& one : earlier) one = std::abs(one - median);
  const double deviation =
      std::max(kDeviationsPerMad * median_of(earlier), kLeastDeviation * std::abs(median));
  return deviation > 0 ? (value - median) / deviation : 0;
}

double Guard::zscore_of(double loss, double grad_norm) const {
  if (options_.on_spike == "ignore" || losses_.size() < kFewestSteps) return 0;
  const auto against = [](double value, const Window& window) {
    return robust_z_score(value, {window.begin(), window.end()});
  };
  return std::max(against(loss, losses_), against(grad_norm, grad_norms_));
}

void Guard::remember(double loss, double grad_norm) {
  losses_.push_back(loss);
  grad_norms_.push_back(grad_norm);
  if (std::ssize(losses_) <= options_.window) return;
  losses_.pop_front();
  grad_norms_.pop_front();
}

void Guard::stop(std::int64_t step, const std::string& finding, bool is_harmed) const {
  const std::string before =
      in_a_row_ > 0 ? fmt::format(", as they were before {} harmful steps running", in_a_row_) : "";
  const char* weights =
      is_harmed ? "some weights have been updated already (optim.step_in_backward), so that this "
                  "state is not saved; the last checkpoint is good"
                : "the weights are as they were before this step";
  throw Error(fmt::format(
      "step {}: {}; {}{}. A lower optim.learning_rate, a longer warm-up or train.precision: fp32 "
      "may help; so may a look at the rows of this step "
      "(hone check). guard.on_non_finite and guard.on_spike say what else can be done with a step "
      "like this",
      step, finding, weights, before));
}

Verdict Guard::judge(std::int64_t step, double loss, double grad_norm) {
  const bool finite = std::isfinite(loss) && std::isfinite(grad_norm);
  last_zscore_ = finite ? zscore_of(loss, grad_norm) : 0;
  const bool spike = last_zscore_ > options_.spike_zscore;
  if (finite && !spike) {
    remember(loss, grad_norm);
    in_a_row_ = 0;
    return Verdict::kUpdate;
  }
  const std::string finding =
      fmt::format("the loss is {:.6g} and the gradient's norm {:.6g}{}", loss, grad_norm,
                  spike ? fmt::format(": {:.1f} standard deviations above those of the last {} "
                                      "steps (guard.spike_zscore is {})",
                                      last_zscore_, losses_.size(), options_.spike_zscore)
                        : "");
  const std::string& action = spike ? options_.on_spike : options_.on_non_finite;
  if (action == "report") {
    log::warn("step {}: {}", step, finding);
    remember(loss, grad_norm);
    in_a_row_ = 0;  // it is used
    return Verdict::kUpdate;
  }
  if (action == "stop" || in_a_row_ >= options_.max_in_a_row)
    stop(step, finding, updates_early_ && std::isfinite(loss));
  ++in_a_row_;
  skipped_.push_back(step);
  log::warn("step {}: {}; it changes no weight", step, finding);
  return action == "skip" ? Verdict::kSkip : Verdict::kRollBack;
}

json Guard::state() const {
  return {{"losses", losses_},
          {"grad_norms", grad_norms_},
          {"skipped", skipped_},
          {"in_a_row", in_a_row_}};
}

void Guard::restore(const json& state) {
  losses_ = state.at("losses").get<Window>();
  grad_norms_ = state.at("grad_norms").get<Window>();
  skipped_ = state.at("skipped").get<std::vector<std::int64_t>>();
  in_a_row_ = state.at("in_a_row").get<std::int64_t>();
  while (std::ssize(losses_) > options_.window) {
    losses_.pop_front();
    grad_norms_.pop_front();
  }
}

}  // namespace hone::engine
