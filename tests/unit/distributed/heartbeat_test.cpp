#include "distributed/heartbeat.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>

#include "support/support.h"

namespace hone::distributed {
namespace {

using namespace std::chrono_literals;
using test::contains;

/// What `beat` says by the time that `limit` is over.
std::string missing_within(const Heartbeat& beat, std::chrono::milliseconds limit) {
  const auto begin = Heartbeat::Clock::now();
  while (Heartbeat::Clock::now() - begin < limit) {
    if (const auto missing = beat.missing(1500ms)) return *missing;
    std::this_thread::sleep_for(20ms);
  }
  return "";
}

TEST(Heartbeat, NamesTheRankThatGivesNoSign) {
  std::atomic<int> beats = 0;
  const Heartbeat beat(1, 3,
                       {[](int, const std::string&) {},
                        [&]() -> std::vector<std::string> {
                          const std::string alive = std::to_string(++beats);
                          return {alive, alive, "1"};
                        }});
  EXPECT_TRUE(contains(missing_within(beat, 9s), "rank 2 gave no sign of life"));
}

/// As a network that was cut leaves it: no answer and no error.
TEST(Heartbeat, LeavesABoardThatNeverAnswers) {
  auto never = std::make_shared<std::promise<void>>();
  const auto begin = Heartbeat::Clock::now();
  {
    const Heartbeat beat(1, 2,
                         {[](int, const std::string&) {},
                          [never]() -> std::vector<std::string> {
                            never->get_future().wait();
                            return {"1", "1"};
                          }});
    EXPECT_TRUE(contains(missing_within(beat, 9s), "rank 0, which the others meet through"));
  }
  EXPECT_LT(Heartbeat::Clock::now() - begin, 6s);
  never->set_value();  // its thread ends before the program does
}

}  // namespace
}  // namespace hone::distributed
