#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace hone::optim {
namespace {

constexpr double kPi = std::numbers::pi;

bool warming_up(const Schedule& s, double step) { return step < double(s.warmup_steps); }

double warmed_up(const Schedule& s, double step) { return step / double(s.warmup_steps); }

/// Share of the way from the end of the warm-up to the end of the run.
double progress(const Schedule& s, double step) {
  const double steps = double(std::max<std::int64_t>(1, s.total_steps - s.warmup_steps));
  return (step - double(s.warmup_steps)) / steps;
}

/// From 1 down to `floor` and, with more than half a wave, up again.
double wave(double waves, double way, double floor) {
  const double factor = 0.5 * (1.0 + std::cos(kPi * waves * 2.0 * way));
  return std::max(0.0, factor * (1.0 - floor) + floor);
}

double waves_of(const Schedule& s) { return s.options.num_cycles.value_or(0.5); }

double floor_of(const Schedule& s) {
  if (s.options.min_lr) return *s.options.min_lr / s.peak;
  return s.options.min_lr_rate.value_or(0.0);
}

double constant(const Schedule&, double) { return 1.0; }

double constant_with_warmup(const Schedule& s, double step) {
  return warming_up(s, step) ? warmed_up(s, step) : 1.0;
}

double linear(const Schedule& s, double step) {
  return warming_up(s, step) ? warmed_up(s, step) : std::max(0.0, 1.0 - progress(s, step));
}

double cosine(const Schedule& s, double step) {
  if (warming_up(s, step)) return warmed_up(s, step);
  return wave(waves_of(s), progress(s, step), 0.0);
}

double cosine_with_min_lr(const Schedule& s, double step) {
  if (warming_up(s, step)) return warmed_up(s, step);
  return wave(waves_of(s), progress(s, step), floor_of(s));
}

double cosine_with_restarts(const Schedule& s, double step) {
  if (warming_up(s, step)) return warmed_up(s, step);
  const double way = progress(s, step);
  if (way >= 1.0) return 0.0;
  const double cycles = s.options.num_cycles.value_or(1.0);
  return std::max(0.0, 0.5 * (1.0 + std::cos(kPi * std::fmod(cycles * way, 1.0))));
}

/// Counts from 1: no step runs at rate 0, and the last one runs at the minimum.
double cosine_warmup_with_min_lr(const Schedule& s, double step) {
  const double warmup = double(s.warmup_steps);
  if (step >= warmup) return wave(waves_of(s), progress(s, step + 1.0), floor_of(s));
  if (!s.options.warmup_lr_rate) return (step + 1.0) / std::max(1.0, warmup);
  const double first = *s.options.warmup_lr_rate;
  return first + (1.0 - first) * step / std::max(1.0, warmup - 1.0);
}

double polynomial(const Schedule& s, double step) {
  if (warming_up(s, step)) return warmed_up(s, step);
  const double end = s.options.lr_end / s.peak;
  if (step > double(s.total_steps)) return end;
  return (1.0 - end) * std::pow(1.0 - progress(s, step), s.options.power) + end;
}

double inverse_sqrt(const Schedule& s, double step) {
  if (warming_up(s, step)) return warmed_up(s, step);
  constexpr double kTimescaleWithoutWarmup = 10000;
  const double timescale =
      s.options.timescale ? double(*s.options.timescale)
                          : (s.warmup_steps > 0 ? double(s.warmup_steps) : kTimescaleWithoutWarmup);
  return 1.0 / std::sqrt((step + timescale - double(s.warmup_steps)) / timescale);
}

/// From 1 at way 0 down to 0 at way 1.
double falling(const std::string& type, double way, double waves) {
  if (type == "linear") return 1.0 - way;
  if (type == "cosine") return 0.5 * (1.0 + std::cos(kPi * waves * 2.0 * way));
  HONE_ASSERT(type == "1-sqrt", "{}", type);
  return 1.0 - std::sqrt(way);
}

double warmup_stable_decay(const Schedule& s, double step) {
  const double floor = s.options.min_lr_ratio, warmup = double(s.warmup_steps);
  const auto above_floor = [&](double factor) {
    return std::max(0.0, factor * (1.0 - floor) + floor);
  };
  constexpr double kHalfWave = 0.5;
  if (step < warmup)
    return above_floor(falling(s.options.warmup_type, 1.0 - step / warmup, kHalfWave));
  const double decay = double(s.decay_steps);
  const double stable = s.options.num_stable_steps ? double(*s.options.num_stable_steps)
                                                   : double(s.total_steps) - warmup - decay;
  if (step < warmup + stable) return 1.0;
  if (step >= warmup + stable + decay) return floor;
  return above_floor(falling(s.options.decay_type, (step - warmup - stable) / decay, waves_of(s)));
}

const ScheduleShape& shape_named(const std::string& name) {
  for (const ScheduleShape& shape : schedule_shapes())
    if (shape.name == name) return shape;
  throw InternalError("no schedule is called " + name);
}

std::int64_t share_of(double ratio, std::int64_t steps) {
  return static_cast<std::int64_t>(std::ceil(ratio * double(steps)));
}

}  // namespace

const std::vector<ScheduleShape>& schedule_shapes() {
  static const std::vector<ScheduleShape> table = {
      {"linear", "to 0", {}, linear},
      {"cosine", "num_cycles waves of a cosine", {"num_cycles"}, cosine},
      {"cosine_with_restarts",
       "num_cycles half waves, each from the top",
       {"num_cycles"},
       cosine_with_restarts},
      {"cosine_with_min_lr",
       "the same as cosine, down to min_lr",
       {"num_cycles", "min_lr", "min_lr_rate"},
       cosine_with_min_lr},
      {"cosine_warmup_with_min_lr",
       "that, with a warm-up from warmup_lr_rate",
       {"num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"},
       cosine_warmup_with_min_lr},
      {"polynomial", "to lr_end by a power", {"lr_end", "power"}, polynomial},
      {"inverse_sqrt", "as 1 / sqrt(step)", {"timescale"}, inverse_sqrt},
      {"constant", "without warm-up", {}, constant},
      {"constant_with_warmup", "after a warm-up", {}, constant_with_warmup},
      {"warmup_stable_decay",
       "constant until the last num_decay_steps (arXiv:2404.06395)",
       {"num_cycles", "num_stable_steps", "num_decay_steps", "decay_ratio", "warmup_type",
        "decay_type", "min_lr_ratio"},
       warmup_stable_decay}};
  return table;
}

double Restarts::factor(std::int64_t step) const {
  if (every == 0) return 1.0;
  constexpr double kLowest = 0.001;
  const std::int64_t since = step % every;
  double way = 1.0;
  if (step >= every && since < warmup_steps)
    way = double(since) / double(warmup_steps);
  else if (every - since < anneal_steps)
    way = double(every - since) / double(anneal_steps);
  return kLowest + (1.0 - kLowest) * way;
}

double Schedule::at(std::int64_t step) const {
  return peak * shape_named(options.lr_scheduler_type).factor(*this, double(step)) *
         restarts.factor(step);
}

Schedule make_schedule(const ScheduleOptions& options, double learning_rate,
                       std::int64_t total_steps) {
  HONE_CHECK(ConfigError,
             options.lr_scheduler_type != "polynomial" || options.lr_end < learning_rate,
             "schedule.lr_end: {} is not below optim.learning_rate {}, from which it falls",
             options.lr_end, learning_rate);
  HONE_CHECK(ConfigError, !options.min_lr || *options.min_lr < learning_rate,
             "schedule.min_lr: {} is not below optim.learning_rate {}, from which it falls",
             options.min_lr.value_or(0), learning_rate);
  return {.options = options,
          .peak = learning_rate,
          .warmup_steps = options.warmup_steps > 0 ? options.warmup_steps
                                                   : share_of(options.warmup_ratio, total_steps),
          .decay_steps = options.num_decay_steps > 0 ? options.num_decay_steps
                                                     : share_of(options.decay_ratio, total_steps),
          .total_steps = total_steps};
}

}  // namespace hone::optim
