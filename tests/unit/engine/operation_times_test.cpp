#include "engine/operation_times.h"

#include <gtest/gtest.h>

namespace hone::engine {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

Ran ran(const char* name, std::uint64_t begin_ms, std::uint64_t end_ms, std::uint64_t thread = 1) {
  return {.name = name, .begin_ns = begin_ms * kMs, .end_ns = end_ms * kMs, .thread = thread};
}
Ran phase(const char* name, std::uint64_t begin_ms, std::uint64_t end_ms) {
  Ran one = ran(name, begin_ms, end_ms);
  one.is_phase = true;
  return one;
}

const OperationTime& find(const std::vector<OperationTime>& times, const std::string& phase,
                          const std::string& operation) {
  for (const OperationTime& time : times)
    if (time.phase == phase && time.operation == operation) return time;
  ADD_FAILURE() << "no " << operation << " in " << phase;
  static const OperationTime none;
  return none;
}

TEST(OperationTimes, CountWhatAnOperationCallsAsThatOnesOwn) {
  // forward: linear(0–60) calls t(0–10) and addmm(10–50); 40 ms of the phase are nobody's.
  const std::vector<Ran> all{ran("addmm", 10, 50), ran("linear", 0, 60), ran("t", 0, 10),
                             phase("forward", 0, 100)};
  const std::vector<OperationTime> times = operation_times(all);
  ASSERT_EQ(times.size(), 4u);
  EXPECT_NEAR(find(times, "forward", "addmm").self_s, 0.040, 1e-12);
  EXPECT_NEAR(find(times, "forward", "linear").self_s, 0.010, 1e-12);
  EXPECT_NEAR(find(times, "forward", "linear").total_s, 0.060, 1e-12);
  EXPECT_NEAR(find(times, "forward", "t").self_s, 0.010, 1e-12);
  EXPECT_NEAR(find(times, "forward", "forward").self_s, 0.040, 1e-12);
  EXPECT_EQ(times.front().self_s, 0.040) << "the dearest comes first";
}

TEST(OperationTimes, AreToldApartByPhaseAndAddedUpWithin) {
  const std::vector<Ran> all{phase("forward", 0, 10),   ran("mm", 1, 4),   ran("mm", 5, 9),
                             phase("backward", 10, 30), ran("mm", 12, 22), ran("mm", 40, 41)};
  const std::vector<OperationTime> times = operation_times(all);
  EXPECT_EQ(find(times, "forward", "mm").calls, 2);
  EXPECT_NEAR(find(times, "forward", "mm").self_s, 0.007, 1e-12);
  EXPECT_NEAR(find(times, "backward", "mm").self_s, 0.010, 1e-12);
  EXPECT_EQ(find(times, "", "mm").calls, 1) << "after the last phase";
}

TEST(OperationTimes, OfAnotherThreadBelongToThePhaseInWhichTheyBegan) {
  const std::vector<Ran> all{phase("backward", 0, 50), ran("mm", 10, 30),
                             ran("all_reduce", 20, 70, 2)};
  const std::vector<OperationTime> times = operation_times(all);
  EXPECT_NEAR(find(times, "backward", "all_reduce").self_s, 0.050, 1e-12);
  EXPECT_NEAR(find(times, "backward", "mm").self_s, 0.020, 1e-12) << "nothing is taken from it";
  EXPECT_NEAR(find(times, "backward", "backward").self_s, 0.030, 1e-12);
}

TEST(OperationTimes, OfNothingAreNone) { EXPECT_TRUE(operation_times({}).empty()); }

}  // namespace
}  // namespace hone::engine
