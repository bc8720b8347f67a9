#include "kernels/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace hone::kernels {
namespace {

// A loop over threads that runs on one of them gives the right numbers, only later: nothing but
// this test would tell.
TEST(ParallelFor, RunsOnAsManyThreadsAsLibTorchHas) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<int> seen(300);
  parallel_for(300, 10, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(seen, std::vector<int>(300, 1));
}

TEST(ParallelFor, GivesNoThreadLessThanTheGrain) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(15, 10, [&](std::int64_t, std::int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 2u);
}

}  // namespace
}  // namespace hone::kernels
