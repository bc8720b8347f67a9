#pragma once

#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// One line of a chart. @param style the page's class for its colour: run0 … run5
struct Line {
  const Curve* curve;
  std::string label;
  std::string style;
};

/// Lines over the steps as an HTML figure with an inline drawing. Long curves are thinned by the
/// mean of neighbouring points.
/// @param title text
/// @return empty where no line has a finite point
std::string chart(const std::string& title, const std::vector<Line>& lines);

/// Round numbers that divide a range into some `count` parts, ascending, all inside it.
std::vector<double> ticks(double least, double most, int count);

}  // namespace hone::report
