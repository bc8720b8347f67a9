#include "trainers/dpo/alarms.h"

#include <gtest/gtest.h>

#include "support/support.h"

namespace hone::dpo {
namespace {

struct Course {
  double chosen, rejected, drift, margin_per_token;  // rewards at beta 0.1
};

/// What is said over 30 steps of the same numbers.
std::string said_of(const Course& course) {
  Alarms alarms;
  testing::internal::CaptureStderr();
  for (std::int64_t step = 1; step <= 30; ++step)
    alarms.watch(step,
                 {{"rewards/chosen", course.chosen},
                  {"rewards/rejected", course.rejected},
                  {"rewards/margins", course.chosen - course.rejected},
                  {"drift", course.drift},
                  {"margin_per_token", course.margin_per_token}},
                 0.1);
  return testing::internal::GetCapturedStderr();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(Alarms, AreSilentWhileAllIsWell) { EXPECT_EQ(said_of({0.2, -0.4, 0.1, 0.3}), ""); }

TEST(Alarms, TellOnceThatBothAnswersFall) {
  const std::string said = said_of({-0.5, -2.0, 0.1, 0.3});
  EXPECT_EQ(count(said, "warning"), 1u) << said;
  EXPECT_TRUE(test::contains(said, "step 10: both answers"));
  EXPECT_TRUE(test::contains(said, "by 5.0 (chosen) and 20.0 (rejected)"));
  EXPECT_TRUE(test::contains(said, "dpo.rpo_alpha"));
}

TEST(Alarms, TellOnceThatTheMarginIsLength) {
  const std::string said = said_of({0.5, 0.1, 0.1, -0.01});
  EXPECT_EQ(count(said, "warning"), 1u) << said;
  EXPECT_TRUE(test::contains(said, "grows by the answers' lengths"));
}

TEST(Alarms, TellOnceThatTheReferenceIsFar) {
  const std::string said = said_of({0.5, -0.5, 0.8, 0.1});
  EXPECT_EQ(count(said, "warning"), 1u) << said;
  EXPECT_TRUE(test::contains(said, "0.80 nats a token from the reference"));
}

}  // namespace
}  // namespace hone::dpo
