#include "report/process.h"

#include <cstring>
#include <regex>
#include <vector>

#include "support/support.h"

namespace hone::report {
namespace {

TEST(ProcessMemory, GrowsWithWhatIsTouchedAndThePeakStays) {
  constexpr std::uint64_t kSize = 64 << 20;
  const ProcessMemory before = process_memory();
  ASSERT_GT(before.current_bytes, 0u);
  {
    std::vector<char> block(kSize);
    std::memset(block.data(), 1, block.size());
    EXPECT_GE(process_memory().current_bytes, before.current_bytes + kSize * 9 / 10);
  }
  const ProcessMemory after = process_memory();
  EXPECT_LT(after.current_bytes, before.current_bytes + kSize / 2);
  EXPECT_GE(after.peak_bytes, before.current_bytes + kSize * 9 / 10);
}

TEST(HostFacts, TellTheMachine) {
  const HostFacts host = host_facts();
  EXPECT_FALSE(host.cpu_model.empty());
  EXPECT_GE(host.cpu_cores, 1);
  EXPECT_GT(host.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_TRUE(test::contains(host.system, "Linux "));
}

TEST(UtcNow, IsIso8601) {
  EXPECT_TRUE(std::regex_match(utc_now(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")))
      << utc_now();
}

}  // namespace
}  // namespace hone::report
