#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "distributed/group.h"

namespace hone::test {

/// Runs `act` as every rank of a group of `world`: ranks are threads that join as processes would.
inline void as_rank_threads(int world, const std::function<void(distributed::Group&)>& act) {
  static std::atomic<int> next_port = 50000 + ::getpid() % 1000 * 10;
  const int port = next_port++;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank)
    threads.emplace_back([&, rank] {
      try {
        distributed::Group group = distributed::Group::join(
            {rank, world, rank, "127.0.0.1", port, "a test"}, {"ddp", 20, 20, 0, true});
        act(group);
        group.close();
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank << ": " << error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace hone::test
