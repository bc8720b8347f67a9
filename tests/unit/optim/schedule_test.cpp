#include "optim/schedule.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "config/load.h"
#include "io/json.h"
#include "support/support.h"

namespace hone::optim {
namespace {

ScheduleOptions options_of(const nlohmann::json& fixture) {
  nlohmann::json options = fixture["kwargs"];
  options["lr_scheduler_type"] = fixture["name"];
  return config::parse<ScheduleOptions>(options.dump(), "fixture").options;
}

void expect_rates(const std::string& name, const nlohmann::json& fixture) {
  ScheduleOptions options = options_of(fixture);
  options.warmup_steps = fixture["num_warmup_steps"];
  const Schedule schedule =
      make_schedule(options, fixture["base_lr"], fixture["num_training_steps"]);
  const double scale = fixture["base_lr"];
  for (std::size_t step = 0; step < fixture["lr"].size(); ++step)
    EXPECT_NEAR(schedule.at(std::int64_t(step)), fixture["lr"][step].get<double>(), 1e-12 * scale)
        << name << ", step " << step;
}

// transformers' own learning rates, in fp64; a few operations stand in another order.
TEST(Schedule, EveryShapeFollowsTransformers) {
  std::set<std::string> shapes;
  for (const char* file : {"optim/lr_schedules/schedules.json", "optim/lr_schedules/more.json"}) {
    const nlohmann::json fixtures = io::read_json(test::fixture(file));
    for (const auto& [name, fixture] : fixtures.items()) {
      shapes.insert(fixture["name"].get<std::string>());
      expect_rates(name, fixture);
    }
  }
  EXPECT_EQ(shapes.size(), schedule_shapes().size());
}

TEST(Schedule, AStableDecayByRatioIsThatOfItsSteps) {
  ScheduleOptions by_steps =
      config::parse<ScheduleOptions>(
          "{lr_scheduler_type: warmup_stable_decay, num_decay_steps: 11}", "options")
          .options;
  ScheduleOptions by_ratio = by_steps;
  by_ratio.num_decay_steps = 0;
  by_ratio.decay_ratio = 0.1;
  for (std::int64_t step = 0; step < 101; ++step)
    EXPECT_EQ(make_schedule(by_ratio, 1e-3, 101).at(step),
              make_schedule(by_steps, 1e-3, 101).at(step));
}

TEST(Schedule, WhatCannotBeMeantIsRefused) {
  const auto refusal = [](const std::string& yaml) {
    return test::message_of<ConfigError>(
        [&] { make_schedule(config::parse<ScheduleOptions>(yaml, "options").options, 1e-4, 10); });
  };
  EXPECT_TRUE(test::contains(refusal("{lr_scheduler_type: linear, num_cycles: 2}"),
                             "linear does not read it"));
  EXPECT_TRUE(test::contains(refusal("{lr_scheduler_type: cosine_with_min_lr}"), "min_lr_rate"));
  EXPECT_TRUE(
      test::contains(refusal("{lr_scheduler_type: warmup_stable_decay}"), "num_decay_steps"));
  EXPECT_TRUE(test::contains(refusal("{lr_scheduler_type: polynomial, lr_end: 1e-3}"),
                             "not below optim.learning_rate"));
}

TEST(Schedule, WarmupRatioIsTakenOfAllStepsAndRoundedUp) {
  ScheduleOptions options = config::defaults<ScheduleOptions>();
  options.warmup_ratio = 0.1;
  EXPECT_EQ(make_schedule(options, 1.0, 101).warmup_steps, 11);
}

}  // namespace
}  // namespace hone::optim
