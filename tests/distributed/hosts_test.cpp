#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include "checkpoint/checkpoints.h"
#include "distributed/rank_process.h"

// Two hosts: network namespaces of this machine with a cable between them, two ranks on each.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Finished;
using test::TinyRun;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

constexpr int kHosts = 2;

class Hosts : public testing::Test {
 protected:
  void SetUp() override {
    for (int host = 0; host < kHosts; ++host)
      if (!ip({"netns", "add", name(host)}))
        GTEST_SKIP() << "`ip netns add` is not allowed here: RANKS ON SEVERAL HOSTS ARE NOT TESTED";
    ASSERT_TRUE(ip({"link", "add", "hone0", "netns", name(0), "type", "veth", "peer", "name",
                    "hone0", "netns", name(1)}));
    for (int host = 0; host < kHosts; ++host) {
      const std::string address = fmt::format("10.213.0.{}/24", host + 1);
      ASSERT_TRUE(ip({"-n", name(host), "address", "add", address, "dev", "hone0"}));
      for (const char* device : {"lo", "hone0"})
        ASSERT_TRUE(ip({"-n", name(host), "link", "set", device, "up"}));
    }
  }
  void TearDown() override {
    for (int host = 0; host < kHosts; ++host) ip({"netns", "delete", name(host)});
  }

  static std::string name(int host) { return fmt::format("hone-{}-{}", ::getpid(), host); }
  static bool ip(Texts arguments) {
    arguments.insert(arguments.begin(), "ip");
    return test::run_program(arguments).exit_code == 0;
  }
  void cut_the_cable() { EXPECT_TRUE(ip({"-n", name(1), "link", "set", "hone0", "down"})); }

  /// `hone launch` on one of the hosts.
  std::future<Finished> launch_on(int host, const TinyRun& run, const Texts& overrides, int nproc,
                                  const Texts& more = {}) {
    Texts options = {"--nnodes", std::to_string(kHosts), "--node-rank", std::to_string(host),
                     "--master", "10.213.0.1:29513"};
    options.insert(options.end(), more.begin(), more.end());
    Texts command = {"ip", "netns", "exec", name(host), test::hone_binary()};
    const Texts launch = test::launch(run, nproc, overrides, options);
    command.insert(command.end(), launch.begin(), launch.end());
    return std::async(std::launch::async, [command] { return test::run_program(command); });
  }
};

/// Until the run has a checkpoint and the rank's process is there.
std::optional<pid_t> rank_under_way(const TinyRun& run, int rank) {
  for (const auto begin = Clock::now(); Clock::now() - begin < 60s;
       std::this_thread::sleep_for(20ms))
    if (!checkpoint::list(run.output()).empty())
      if (const auto process = test::process_of(run.output(), rank)) return process;
  return std::nullopt;
}

TEST_F(Hosts, TakeTheStepsOfOneProcess) {
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.1}");
  const fs::path other = run.folder / "alone";
  const Finished alone =
      test::run_hone(run.train({"train.max_steps=6", "train.output_dir=" + other.string()}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const Texts overrides = {"train.max_steps=6", "train.gradient_accumulation_steps=1"};
  auto second = launch_on(1, run, overrides, 2), first = launch_on(0, run, overrides, 2);
  for (auto* one : {&first, &second}) {
    const Finished finished = one->get();
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
  }
  const auto expected = test::steps_in(other), steps = test::steps_in(run.output());
  ASSERT_EQ(steps.size(), 6u);
  for (std::size_t i = 0; i < steps.size(); ++i)
    EXPECT_NEAR(steps[i]["loss"], expected[i]["loss"], 1e-6 * double(expected[i]["loss"]));
}

TEST_F(Hosts, BetweenWhichTheCableIsCutAreAllOutWithinTenSeconds) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts overrides = {"train.max_steps=1000000", "train.gradient_accumulation_steps=1",
                           "checkpoint.save_steps=20"};
  auto second = launch_on(1, run, overrides, 2), first = launch_on(0, run, overrides, 2);
  EXPECT_TRUE(rank_under_way(run, 3));
  cut_the_cable();  // in any case: nothing else ends these ranks
  const auto cut = Clock::now();
  const Finished near = first.get(), far = second.get();
  EXPECT_LT(Clock::now() - cut, 10s);
  EXPECT_EQ(near.exit_code, 1);
  EXPECT_EQ(far.exit_code, 1);
  for (const int rank : {0, 1})
    EXPECT_TRUE(contains(near.err, fmt::format("[{0}] error: rank {0} of 4: ", rank)));
  for (const int rank : {2, 3})
    EXPECT_TRUE(contains(far.err, fmt::format("[{0}] error: rank {0} of 4: ", rank)));
  EXPECT_TRUE(contains(near.err, "ranks 2, 3 gave no sign of life"));
  EXPECT_TRUE(contains(far.err, "rank 0, which the others meet through, was not heard"));
  EXPECT_TRUE(checkpoint::newest_valid(run.output())) << "the last checkpoint stays good";
}

TEST_F(Hosts, StartAllRanksAgainWhereOneFailed) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts overrides = {"train.max_steps=3000", "train.gradient_accumulation_steps=2",
                           "checkpoint.save_steps=50"};
  const Texts options = {"--max-restarts", "1"};
  auto second = launch_on(1, run, overrides, 1, options);
  auto first = launch_on(0, run, overrides, 1, options);
  const auto killed = rank_under_way(run, 1);
  ASSERT_TRUE(killed);
  ::kill(*killed, SIGKILL);
  for (auto* one : {&first, &second}) {
    const Finished finished = one->get();
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_TRUE(contains(finished.err, "restart 1 of 1"));
  }
  const auto steps = test::steps_in(run.output());
  ASSERT_EQ(steps.size(), 3000u);
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i]["step"], i + 1);
}

}  // namespace
}  // namespace hone
