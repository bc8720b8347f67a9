#pragma once

#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// One line of a chart.
struct Line {
  const Curve* curve;
  std::string label;
  std::string style;  ///< the page's class for its colour: run0 … run5
  double scale = 1;   ///< what its values are multiplied by
};

/// Lines over the steps as an HTML figure with an inline drawing. Long curves are thinned by the
/// mean of neighbouring points.
/// @param title, unit text; the unit may be empty
/// @return empty where no line has a finite point
std::string chart(const std::string& title, const std::string& unit,
                  const std::vector<Line>& lines);

/// Round numbers that divide a range into some `count` parts, ascending, all inside it.
std::vector<double> ticks(double least, double most, int count);

}  // namespace hone::report
