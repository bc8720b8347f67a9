#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "config/load.h"
#include "distributed/group.h"

// Ranks are threads here: each joins as a process would. What becomes of killed processes is tested
// with processes (tests/distributed).

namespace hone::distributed {

/// Each test its own port, and each run of the tests.
inline int next_port() {
  static std::atomic<int> port = 30000 + ::getpid() % 2000 * 10;
  return port++;
}

inline DistributedOptions with_patience(std::int64_t timeout_s, std::int64_t first_step_timeout_s) {
  auto options = config::defaults<DistributedOptions>();
  options.timeout_s = timeout_s;
  options.first_step_timeout_s = first_step_timeout_s;
  return options;
}

/// Runs `act` as every rank of a group of `world`.
inline void as_ranks(int world, const std::function<void(Group&)>& act,
                     const DistributedOptions& options = with_patience(20, 20)) {
  const int port = next_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank)
    threads.emplace_back([&, rank] {
      try {
        Group group = Group::join({rank, world, rank, "127.0.0.1", port, "a test"}, options);
        act(group);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank << ": " << error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
}

/// The same of ranks that part in peace.
inline void as_parting_ranks(int world, const std::function<void(Group&)>& act) {
  as_ranks(world, [&](Group& group) {
    act(group);
    group.close();
  });
}

}  // namespace hone::distributed
