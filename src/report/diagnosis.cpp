#include "report/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hone::report {
namespace {

constexpr std::size_t kStretches = 20;

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The loss from the step of the highest learning rate on, as medians of equal stretches; empty
/// where the run is too short.
std::vector<double> stretches_of(const RunHistory& run) {
  const Curve* loss = run.curve("loss");
  if (loss == nullptr) return {};
  std::int64_t first_step = 0;
  if (const Curve* rate = run.curve("learning_rate"); rate != nullptr && !rate->empty())
    first_step = std::ranges::max_element(*rate, {}, &Point::value)->step;
  std::vector<double> values;
  for (const Point& point : *loss)
    if (point.step >= first_step && std::isfinite(point.value)) values.push_back(point.value);
  if (values.size() < kLeastSteps) return {};
  std::vector<double> stretches;
  for (std::size_t i = 0; i < kStretches; ++i)
    stretches.push_back(
        median({values.begin() + std::ptrdiff_t(i * values.size() / kStretches),
                values.begin() + std::ptrdiff_t((i + 1) * values.size() / kStretches)}));
  return stretches;
}

/// How far a curve goes up in all, and down.
struct Ways {
  double up = 0, down = 0;
};

Ways ways_of(const std::vector<double>& values) {
  Ways ways;
  for (std::size_t i = 1; i < values.size(); ++i)
    (values[i] > values[i - 1] ? ways.up : ways.down) += std::abs(values[i] - values[i - 1]);
  return ways;
}

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

void look_at_training(const std::vector<double>& loss, std::vector<Diagnosis>& found) {
  if (loss.empty()) return;
  const Ways ways = ways_of(loss);
  const double fall = share(loss.front() - loss.back(), loss.front());
  const double late_fall = share(loss[kStretches * 3 / 4] - loss.back(), loss[kStretches * 3 / 4]);
  if (ways.up > 0.6 * ways.down && ways.up > 0.15 * loss.front()) {
    found.push_back({"fluctuating",
                     fmt::format("between its stretches the loss rises by {:.3g} in all and falls "
                                 "by {:.3g}",
                                 ways.up, ways.down),
                     "The learning rate may be too high, or the batch too small: halve "
                     "optim.learning_rate, or raise train.gradient_accumulation_steps."});
  } else if (fall < 0.02) {
    found.push_back(
        {"underfitting",
         fmt::format("after the warm-up the loss falls by {:.1f} % in all", 100 * fall),
         "Raise optim.learning_rate, the rank, or the modules that are adapted; and look "
         "with hone data inspect whether the rows can be learned at all."});
  } else if (ways.up < 0.1 * ways.down && late_fall > 0.1 && late_fall > 0.2 * fall) {
    found.push_back(
        {"slow",
         fmt::format("the loss still falls by {:.0f} % over the last quarter of the run",
                     100 * late_fall),
         "The learning rate may be too low, or the run too short: raise "
         "optim.learning_rate, or train for more epochs."});
  }
}

void look_at_evaluation(const RunHistory& run, const std::vector<double>& loss,
                        std::vector<Diagnosis>& found) {
  const Curve* evaluated = run.curve("eval_loss");
  if (evaluated == nullptr || evaluated->size() < 3 || loss.empty()) return;
  const auto best = std::ranges::min_element(*evaluated, {}, &Point::value);
  const double last = evaluated->back().value;
  const bool still_learns = loss.back() < loss.front();
  if (!still_learns || last < 1.02 * best->value) return;
  found.push_back(
      {"overfitting",
       fmt::format("eval_loss was {:.4f} at step {} and is {:.4f} at the end, while the "
                   "training loss went on falling",
                   best->value, best->step, last),
       "Fewer epochs, or more rows; take the checkpoint of the best step."});
}

}  // namespace

std::vector<Diagnosis> diagnose(const RunHistory& run) {
  std::vector<Diagnosis> found;
  const std::vector<double> loss = stretches_of(run);
  look_at_training(loss, found);
  look_at_evaluation(run, loss, found);
  return found;
}

}  // namespace hone::report
