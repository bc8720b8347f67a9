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
  const std::string svg = chart("loss", "", {{&curve, "loss", "run0"}});
  // 70 to 370 across, 168 up to 10.
  EXPECT_TRUE(contains(svg, "d=\"M70.0 89.0h.01L220.0 168.0L370.0 10.0\""));
}

TEST(Chart, LeavesAGapWhereAValueIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Curve curve{{1, 1.0}, {2, nan}, {3, 2.0}};
  const std::string svg = chart("loss", "", {{&curve, "loss", "run0"}});
  EXPECT_TRUE(contains(svg, "M70.0 168.0h.01M370.0 10.0h.01"));
  const Curve none{{1, nan}};
  EXPECT_EQ(chart("loss", "", {{&none, "loss", "run0"}}), "");
}

TEST(Chart, DrawsInTheUnitThatItIsTold) {
  const Curve curve{{1, 1 << 20}, {2, 3 << 20}};
  const std::string svg = chart("memory", "MiB", {{&curve, "memory", "run0", 1.0 / (1 << 20)}});
  for (const char* tick : {">1<", ">1.5<", ">2<", ">2.5<", ">3<"}) EXPECT_TRUE(contains(svg, tick));
  EXPECT_TRUE(contains(svg, "MiB, by step"));
}

TEST(Chart, CountsWholeSteps) {
  const Curve curve{{1, 1.0}, {2, 2.0}, {3, 3.0}};
  const std::string svg = chart("loss", "", {{&curve, "loss", "run0"}});
  std::size_t labels = 0;
  for (std::size_t at = 0; (at = svg.find("text-anchor=middle", at)) != std::string::npos; ++at)
    ++labels;
  EXPECT_EQ(labels, 3u) << svg;
}

TEST(Chart, WritesNumbersInFewCharacters) {
  const Curve curve{{1, -2.5e-5}, {2, 1e-10}, {3, 2.5e-5}};
  const std::string small = chart("rate", "", {{&curve, "rate", "run0"}});
  for (const char* tick : {">-2e-5<", ">0<", ">2e-5<"}) EXPECT_TRUE(contains(small, tick)) << small;
  const std::string large = chart("rate", "", {{&curve, "rate", "run0", 1e12}});
  for (const char* tick : {">-2e7<", ">2e7<"}) EXPECT_TRUE(contains(large, tick)) << large;
}

TEST(Chart, ThinsLongCurvesToTheirMeans) {
  Curve curve;
  for (int step = 1; step <= 8000; ++step) curve.push_back({step, double(step % 2)});
  const std::string svg = chart("loss", "", {{&curve, "loss", "run0"}});
  EXPECT_LT(svg.size(), 20000u);
  EXPECT_TRUE(contains(svg, ">0.5</text>")) << "every mean is a half";
}

TEST(Chart, SpellsOutWhatWouldBeMarkup) {
  const Curve curve{{1, 1.0}, {2, 2.0}};
  const std::string svg = chart("<b>", "a<c", {{&curve, "a&b", "run0"}, {&curve, "c", "run1"}});
  EXPECT_TRUE(contains(svg, "&lt;b&gt;"));
  EXPECT_TRUE(contains(svg, "a&lt;c, by step"));
  EXPECT_TRUE(contains(svg, "a&amp;b"));
}

}  // namespace
}  // namespace hone::report
