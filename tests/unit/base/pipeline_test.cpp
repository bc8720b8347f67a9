#include "base/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>

namespace hone {
namespace {

using Numbers = Pipeline<int, int>;

/// The numbers 0 to count − 1, one after the other.
std::function<std::optional<int>()> counting_to(int count) {
  return
      [count, next = 0]() mutable { return next < count ? std::optional(next++) : std::nullopt; };
}

/// Takes the longer, the smaller the number: later items overtake earlier ones.
int slow_square(int number) {
  std::this_thread::sleep_for(std::chrono::microseconds(200 / (1 + number % 10)));
  return number * number;
}

TEST(Pipeline, WritesInTheOrderOfReadingWhateverTheThreads) {
  std::vector<int> expected(300);
  for (int i = 0; i < 300; ++i) expected[static_cast<std::size_t>(i)] = i * i;
  for (const int threads : {1, 2, 5})
    for (const std::size_t capacity : {1u, 3u, 500u}) {
      std::vector<int> written;
      Numbers::run({.read = counting_to(300),
                    .work = slow_square,
                    .write =
                        [&](int number) {
                          written.push_back(number);
                          return true;
                        }},
                   threads, capacity);
      EXPECT_EQ(written, expected) << threads << " threads, capacity " << capacity;
    }
}

TEST(Pipeline, HoldsNoMoreThanItsCapacity) {
  std::atomic<int> under_way = 0;
  int most = 0;
  Numbers::run({.read =
                    [&, read = counting_to(200)] {
                      const auto number = read();
                      if (number) ++under_way;
                      return number;
                    },
                .work = slow_square,
                .write =
                    [&](int) {
                      most = std::max(most, under_way.load());
                      --under_way;
                      return true;
                    }},
               3, 4);
  EXPECT_LE(most, 4 + 1) << "the reader may hold one more while it waits";
  EXPECT_EQ(under_way, 0);
}

TEST(Pipeline, OfNothingWritesNothing) {
  int written = 0;
  Numbers::run(
      {.read = counting_to(0), .work = slow_square, .write = [&](int) { return ++written > 0; }}, 3,
      2);
  EXPECT_EQ(written, 0);
}

/// What is written before a stage throws at item 40.
std::vector<int> written_before(const Numbers::Stages& stages) {
  std::vector<int> written;
  Numbers::Stages noted = stages;
  noted.write = [&](int number) {
    const bool more = stages.write(number);
    written.push_back(number);
    return more;
  };
  EXPECT_THROW(Numbers::run(std::move(noted), 3, 8), std::runtime_error);
  return written;
}

TEST(Pipeline, AnExceptionEndsItAfterAllThatCameBefore) {
  const auto fail_at_40 = [](int number) {
    if (number == 40) throw std::runtime_error("at 40");
    return number;
  };
  const auto read = [&] {
    return [&, next = counting_to(1000)]() mutable -> std::optional<int> {
      return fail_at_40(*next());
    };
  };
  std::vector<int> expected(40);
  std::iota(expected.begin(), expected.end(), 0);
  const auto same = [](int number) { return number; };
  const auto ignore = [](int) { return true; };
  EXPECT_EQ(written_before({.read = read(), .work = same, .write = ignore}), expected);
  EXPECT_EQ(written_before({.read = counting_to(1000), .work = fail_at_40, .write = ignore}),
            expected);
  EXPECT_EQ(written_before({.read = counting_to(1000),
                            .work = same,
                            .write = [&](int number) { return fail_at_40(number) >= 0; }}),
            expected);
}

TEST(Pipeline, StopsWhenItHasEnough) {
  std::atomic<int> read = 0;
  int written = 0;
  Numbers::run({.read = [&] { return std::optional(read++); },  // without an end
                .work = slow_square,
                .write = [&](int) { return ++written < 25; }},
               3, 4);
  EXPECT_EQ(written, 25);
  EXPECT_LE(read, 25 + 4 + 1);
}

}  // namespace
}  // namespace hone
