#include "distributed/network.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "distributed/gpus.h"
#include "support/support.h"

namespace hone::distributed {
namespace {

TEST(AddressTowards, ThisMachineIsTheLoopback) {
  EXPECT_EQ(address_towards("127.0.0.1", 29500), "127.0.0.1");
  const std::string address = address_towards("localhost", 29500);
  EXPECT_TRUE(address == "127.0.0.1" || address == "::1") << address;
}

TEST(AddressTowards, AnUnknownNameIsRefused) {
  const std::string message =
      test::message_of<DistributedError>([] { address_towards("no-such-host.invalid", 1); });
  EXPECT_TRUE(test::contains(message, "no-such-host.invalid"));
}

TEST(CountGpus, AreThoseThatTheVariableNamesOrTheDriverLists) {
  const test::TempFolder driver;
  EXPECT_EQ(count_gpus(nullptr, driver / "absent"), 0);
  for (const char* gpu : {"0000:17:00.0", "0000:3d:00.0", "0000:60:00.0"}) driver.write(gpu, "");
  EXPECT_EQ(count_gpus(nullptr, driver.path()), 3);
  EXPECT_EQ(count_gpus("0,2", driver.path()), 2);
  EXPECT_EQ(count_gpus("GPU-8932f937", driver.path()), 1);
  EXPECT_EQ(count_gpus("", driver.path()), 0);
  EXPECT_EQ(count_gpus("-1", driver.path()), 0);
}

}  // namespace
}  // namespace hone::distributed
