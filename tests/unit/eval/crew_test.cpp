#include "eval/crew.h"

#include <gtest/gtest.h>

#include <csignal>

#include "base/interrupt.h"

namespace hone::eval {
namespace {

/// Rank `rank` of a crew in which the others give what `others` says, by rank.
Crew crew_of(int rank, std::vector<Numbers> others, std::vector<Numbers>* given = nullptr) {
  const int world = static_cast<int>(others.size());
  return {.rank = rank, .world = world, .exchange = [=](const Numbers& own) {
            std::vector<Numbers> all = others;
            all[static_cast<std::size_t>(rank)] = own;
            if (given != nullptr) given->push_back(own);
            return all;
          }};
}

TEST(Crew, OfOneMeasuresAll) {
  const auto found = measure_round({}, 3, [](std::size_t i) { return Numbers{double(i), 7}; });
  EXPECT_EQ(found, (std::vector<Numbers>{{0, 7}, {1, 7}, {2, 7}}));
}

TEST(Crew, EachMeasuresItsPieceAndGetsAll) {
  std::vector<std::size_t> measured;
  const auto found = measure_round(crew_of(1, {{10, 0}, {}, {30, 31, 0}}), 3, [&](std::size_t i) {
    measured.push_back(i);
    return Numbers{20};
  });
  EXPECT_EQ(measured, (std::vector<std::size_t>{1}));
  EXPECT_EQ(found, (std::vector<Numbers>{{10}, {20}, {30, 31}}));
}

// A pass through the model may be one that all have to make.
TEST(Crew, WhoHasNoPieceSaysNothingAndGoesAlongWhereAPassTakesAll) {
  for (const bool together : {false, true}) {
    int passes = 0;
    std::vector<Numbers> given;
    Crew crew = crew_of(2, {{10, 0}, {20, 0}, {}}, &given);
    crew.passes_together = together;
    const auto found = measure_round(crew, 2, [&](std::size_t i) {
      EXPECT_EQ(i, 0u);
      ++passes;
      return Numbers{10};
    });
    EXPECT_EQ(passes, together ? 1 : 0);
    EXPECT_EQ(given, (std::vector<Numbers>{{0}}));
    EXPECT_EQ(found, (std::vector<Numbers>{{10}, {20}}));
  }
}

TEST(Crew, ASignalToOneEndsTheRoundOfAllAndNotBefore) {
  const auto measure = [](std::size_t) {
    leave_if_interrupted();  // as passes do
    return Numbers{1};
  };
  EXPECT_THROW(measure_round(crew_of(0, {{}, {2, 1}}), 2, measure), Interrupted)
      << "another has got one";
  const InterruptGuard guard;
  std::raise(SIGTERM);
  std::vector<Numbers> given;
  EXPECT_THROW(measure_round(crew_of(0, {{}, {2, 0}}, &given), 2, measure), Interrupted);
  EXPECT_EQ(given, (std::vector<Numbers>{{1, 1}})) << "the others were told";
}

}  // namespace
}  // namespace hone::eval
