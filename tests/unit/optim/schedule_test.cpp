#include "optim/schedule.h"

#include <nlohmann/json.hpp>

#include "config/load.h"
#include "io/json.h"
#include "support/support.h"

namespace hone::optim {
namespace {

class ScheduleParity : public testing::TestWithParam<const char*> {};

TEST_P(ScheduleParity, FollowsTransformers) {
  const nlohmann::json all = io::read_json(test::fixture("optim/lr_schedules/schedules.json"));
  const nlohmann::json& fixture = all.at(GetParam());
  const Schedule schedule{fixture["name"], fixture["base_lr"], fixture["num_warmup_steps"],
                          fixture["num_training_steps"]};
  for (std::size_t step = 0; step < fixture["lr"].size(); ++step)
    EXPECT_NEAR(schedule.at(std::int64_t(step)), fixture["lr"][step].get<double>(), 1e-15)
        << "step " << step;
}

INSTANTIATE_TEST_SUITE_P(Types, ScheduleParity,
                         testing::Values("linear_w5", "cosine_w5", "constant_w5",
                                         "constant_with_warmup_w5"));

TEST(Schedule, WarmupRatioIsTakenOfAllStepsAndRoundedUp) {
  ScheduleOptions options = config::defaults<ScheduleOptions>();
  options.warmup_ratio = 0.1;
  EXPECT_EQ(make_schedule(options, 1.0, 101).warmup_steps, 11);
}

}  // namespace
}  // namespace hone::optim
