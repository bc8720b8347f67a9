#include "report/chart.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/support.h"

namespace hone::report {
namespace {

using test::contains;

TEST(Ticks, AreRoundNumbersInsideTheRange) {
  EXPECT_EQ(ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(ticks(0.1, 0.9, 4), (std::vector<double>{0.2, 0.4, 0.6000000000000001, 0.8}));
  EXPECT_EQ(ticks(-3, 4, 4), (std::vector<double>{-2, 0, 2, 4}));
  EXPECT_EQ(ticks(5, 5, 4), (std::vector<double>{5}));
}

TEST(Chart, ReachesFromTheLowestToTheHighestValue) {
  const Curve curve{{1, 2.0}, {2, 1.0}, {3, 3.0}};
  const std::string svg = chart("loss", {{&curve, "loss", "run0"}});
  // 60 to 384 across, 168 up to 8.
  EXPECT_TRUE(contains(svg, "d=\"M60.0 88.0h.01L222.0 168.0L384.0 8.0\""));
}

TEST(Chart, LeavesAGapWhereAValueIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Curve curve{{1, 1.0}, {2, nan}, {3, 2.0}};
  const std::string svg = chart("loss", {{&curve, "loss", "run0"}});
  EXPECT_TRUE(contains(svg, "M60.0 168.0h.01M384.0 8.0h.01"));
  const Curve none{{1, nan}};
  EXPECT_EQ(chart("loss", {{&none, "loss", "run0"}}), "");
}

TEST(Chart, ThinsLongCurvesToTheirMeans) {
  Curve curve;
  for (int step = 1; step <= 8000; ++step) curve.push_back({step, double(step % 2)});
  const std::string svg = chart("loss", {{&curve, "loss", "run0"}});
  EXPECT_LT(svg.size(), 20000u);
  EXPECT_TRUE(contains(svg, ">0.5</text>")) << "every mean is a half";
}

TEST(Chart, SpellsOutWhatWouldBeMarkup) {
  const Curve curve{{1, 1.0}, {2, 2.0}};
  const std::string svg = chart("<b>", {{&curve, "a&b", "run0"}, {&curve, "c", "run1"}});
  EXPECT_TRUE(contains(svg, "&lt;b&gt;"));
  EXPECT_TRUE(contains(svg, "a&amp;b"));
}

}  // namespace
}  // namespace hone::report
