#include "datasets/row_order.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using Rows = std::vector<std::int64_t>;

Rows epoch_of(const RowOrder& order, std::int64_t epoch) {
  Rows rows;
  for (std::int64_t place = 0; place < order.size(); ++place)
    rows.push_back(order.row(epoch, place));
  return rows;
}

Rows sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

Rows range(std::int64_t begin, std::int64_t end) {
  Rows rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

/// Rows 0 to 99, 100 to 129 and 130 to 133.
std::vector<SourceRows> three_sources(std::vector<double> weights = {1, 1, 1}) {
  return {{"a", 0, 100, weights[0]}, {"b", 100, 30, weights[1]}, {"c", 130, 4, weights[2]}};
}

std::map<int, std::int64_t> counts_of(const Rows& rows) {
  std::map<int, std::int64_t> counts;
  for (const std::int64_t row : rows) ++counts[row < 100 ? 0 : row < 130 ? 1 : 2];
  return counts;
}

TEST(RowOrder, PlainHasEveryRowOnceAndAnotherOrderEachEpoch) {
  const RowOrder order = RowOrder::plain(57, 3, true);
  std::set<Rows> orders;
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    EXPECT_EQ(sorted(epoch_of(order, epoch)), range(0, 57));
    orders.insert(epoch_of(order, epoch));
  }
  EXPECT_EQ(orders.size(), 4u);
  EXPECT_EQ(epoch_of(RowOrder::plain(57, 3, false), 2), range(0, 57));
}

TEST(RowOrder, ConcatTakesEveryRowOfEverySourceOnce) {
  const RowOrder order({{.sources = three_sources()}}, 1, true);
  EXPECT_EQ(sorted(epoch_of(order, 0)), range(0, 134));
  EXPECT_EQ(epoch_of(RowOrder({{.sources = three_sources()}}, 1, false), 0), range(0, 134));
}

TEST(RowOrder, ACapTakesTheSameRowsInEveryEpochAndDrawsThemFromAll) {
  std::vector<SourceRows> sources = three_sources();
  sources[0].max_rows = 10;
  sources[1].max_rows = 1000;  // above what there is
  for (const Mixing mixing : {Mixing::kConcat, Mixing::kAllExhausted}) {
    const RowOrder order({{.sources = sources, .mixing = mixing}}, 5, true);
    std::vector<std::set<std::int64_t>> taken(3);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch)
      for (const std::int64_t row : epoch_of(order, epoch))
        if (row < 100) taken[static_cast<std::size_t>(epoch)].insert(row);
    EXPECT_EQ(taken[0].size(), 10u);
    EXPECT_EQ(taken[0], taken[1]);
    EXPECT_EQ(taken[0], taken[2]);
    EXPECT_GT(*taken[0].rbegin(), 20) << "drawn from all rows, not the first ones";
  }
  const RowOrder in_order({{.sources = sources}}, 5, false);
  EXPECT_EQ(epoch_of(in_order, 0).size(), 44u);
  EXPECT_EQ(in_order.row(0, 9), 9);
  EXPECT_EQ(in_order.row(0, 10), 100);
}

TEST(RowOrder, EveryBeginningOfAMixtureHasItsShares) {
  const std::vector<double> weights = {5, 3, 2};
  const RowOrder order({{.sources = three_sources(weights), .mixing = Mixing::kAllExhausted}}, 7,
                       true);
  const Rows rows = epoch_of(order, 0);
  Rows beginning;
  for (const std::int64_t row : rows) {
    beginning.push_back(row);
    auto counts = counts_of(beginning);
    for (int s = 0; s < 3; ++s) {
      const double due = weights[static_cast<std::size_t>(s)] / 10 * double(beginning.size());
      EXPECT_LT(std::abs(double(counts[s]) - due), 1.0) << beginning.size();
    }
  }
}

TEST(RowOrder, FirstExhaustedStopsWithTheFirstSourceThatIsUsedUp) {
  const RowOrder order({{.sources = three_sources(), .mixing = Mixing::kFirstExhausted}}, 7, true);
  const Rows rows = epoch_of(order, 1);
  EXPECT_EQ(counts_of(rows)[2], 4);
  EXPECT_EQ(std::set<std::int64_t>(rows.begin(), rows.end()).size(), rows.size()) << "a row twice";
  EXPECT_GE(rows.back(), 130) << "the last one drawn is what ended it";
  EXPECT_LE(rows.size(), 12u);
}

TEST(RowOrder, AllExhaustedHasEveryRowAndBeginsShortSourcesAnew) {
  const RowOrder order({{.sources = three_sources(), .mixing = Mixing::kAllExhausted}}, 7, true);
  const Rows rows = epoch_of(order, 0);
  const std::set<std::int64_t> distinct(rows.begin(), rows.end());
  EXPECT_EQ(distinct.size(), 134u);
  Rows of_c;
  for (const std::int64_t row : rows)
    if (row >= 130) of_c.push_back(row);
  ASSERT_GE(of_c.size(), 99u);
  std::set<Rows> rounds;
  for (std::size_t round = 0; round + 4 <= of_c.size(); round += 4) {
    const Rows four(of_c.begin() + std::ptrdiff_t(round), of_c.begin() + std::ptrdiff_t(round) + 4);
    EXPECT_EQ(sorted(four), range(130, 134)) << "each round has every row once";
    rounds.insert(four);
  }
  EXPECT_GT(rounds.size(), 5u) << "rounds have orders of their own";
}

TEST(RowOrder, PassesOfAMixtureNeverRepeatAnOrder) {
  const RowOrder order({{.sources = three_sources(), .mixing = Mixing::kAllExhausted, .passes = 2}},
                       7, true);
  const std::int64_t half = order.size() / 2;
  std::set<Rows> orders;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const Rows rows = epoch_of(order, epoch);
    orders.emplace(rows.begin(), rows.begin() + half);
    orders.emplace(rows.begin() + half, rows.end());
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(RowOrder, StagesFollowOneAnother) {
  const std::vector<SourceRows> all = three_sources();
  const RowOrder order({{.sources = {all[0]}, .passes = 0.5},
                        {.sources = {all[1]}, .passes = 2},
                        {.sources = {all[0], all[2]}, .mixing = Mixing::kFirstExhausted}},
                       11, true);
  ASSERT_EQ(order.size(), 50 + 60 + 8);
  const Rows rows = epoch_of(order, 0);
  EXPECT_LT(*std::max_element(rows.begin(), rows.begin() + 50), 100);
  EXPECT_EQ(sorted(Rows(rows.begin() + 50, rows.begin() + 80)), range(100, 130));
  EXPECT_EQ(sorted(Rows(rows.begin() + 80, rows.begin() + 110)), range(100, 130));
  EXPECT_EQ(counts_of(Rows(rows.begin() + 110, rows.end()))[2], 4);
}

TEST(RowOrder, RefusesAMixtureThatCannotBeMade) {
  const auto refusal = [](std::vector<Stage> stages) {
    return test::message_of<DataError>([&] { RowOrder(stages, 0, true); });
  };
  EXPECT_TRUE(test::contains(refusal({}), "no row"));
  EXPECT_TRUE(
      test::contains(refusal({{.sources = {{"empty", 0, 0}}}}), "source empty has no rows"));
  EXPECT_TRUE(test::contains(refusal({{.sources = {{"a", 0, 10, 1e-9}, {"b", 10, 2, 1}},
                                       .mixing = Mixing::kAllExhausted}}),
                             "weight is too small"));
}

}  // namespace
}  // namespace hone::datasets
