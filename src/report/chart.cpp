#include "report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/html.h"

namespace hone::report {
namespace {

// The drawing's own units; the page scales it. There is room for seven digits beside the axes.
constexpr double kLeft = 70, kRight = 370, kTop = 10, kBottom = 168;
constexpr std::size_t kMostPoints = 400;

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  void take(double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  bool empty() const { return least > most; }
  double place(double value, double from, double to) const {
    return most > least ? from + (to - from) * (value - least) / (most - least) : (from + to) / 2;
  }
};

struct Axes {
  Range steps, values;

  double x(double step) const { return steps.place(step, kLeft, kRight); }
  double y(double value) const { return values.place(value, kBottom, kTop); }
};

Curve thinned(const Line& line) {
  const Curve& curve = *line.curve;
  const std::size_t at_once =
      std::max<std::size_t>(1, (curve.size() + kMostPoints - 1) / kMostPoints);
  Curve result;
  for (std::size_t begin = 0; begin < curve.size(); begin += at_once) {
    const std::size_t end = std::min(begin + at_once, curve.size());
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += curve[i].value * line.scale;
    result.push_back({curve[end - 1].step, sum / double(end - begin)});
  }
  return result;
}

/// As few characters as tell neighbouring ticks apart: 2.5e-5, not 2.5e-05.
std::string in_digits(double value) {
  if (std::abs(value) >= 1000 && std::abs(value) < 1e6) return fmt::format("{:.0f}", value);
  std::string text = fmt::format("{:.4g}", value);
  if (const std::size_t e = text.find('e'); e != std::string::npos) {
    const bool is_small = text[e + 1] == '-';
    const std::size_t digits = std::min(text.find_first_not_of('0', e + 2), text.size() - 1);
    text = text.substr(0, e + 1) + (is_small ? "-" : "") + text.substr(digits);
  }
  return text;
}

std::string grid(const Axes& axes) {
  std::string out;
  for (const double value : ticks(axes.values.least, axes.values.most, 4))
    out += fmt::format(
        "<line x1={0:.0f} x2={1:.0f} y1=\"{2:.1f}\" y2=\"{2:.1f}\" /><text x={3:.0f} "
        "y=\"{4:.1f}\" text-anchor=end>{5}</text>",
        kLeft, kRight, axes.y(value), kLeft - 6, axes.y(value) + 4, in_digits(value));
  for (const double step : ticks(axes.steps.least, axes.steps.most, 4))
    if (step == std::floor(step))
      out += fmt::format("<text x=\"{:.1f}\" y={:.0f} text-anchor=middle>{:.0f}</text>",
                         axes.x(step), kBottom + 20, step);
  return out;
}

/// A gap in the curve is a gap in the line; a point alone is a dot.
std::string path(const Curve& curve, const Axes& axes, const std::string& style) {
  std::string d;
  bool is_drawing = false;
  for (const Point& point : curve) {
    if (!std::isfinite(point.value)) {
      is_drawing = false;
      continue;
    }
    d += fmt::format("{}{:.1f} {:.1f}", is_drawing ? "L" : "M", axes.x(double(point.step)),
                     axes.y(point.value));
    if (!is_drawing) d += "h.01";
    is_drawing = true;
  }
  return fmt::format("<path class={} stroke-linecap=round d=\"{}\"/>\n", style, d);
}

}  // namespace

std::vector<double> ticks(double least, double most, int count) {
  if (!(most > least)) return {least};
  const double rough = (most - least) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0})
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  std::vector<double> result;
  // Numbered, so that no rounding adds up over the ticks.
  for (double number = std::ceil(least / step); number * step <= most; ++number)
    result.push_back(number * step + 0.0);  // not -0
  return result;
}

std::string chart(const std::string& title, const std::string& unit,
                  const std::vector<Line>& lines) {
  Axes axes;
  std::vector<Curve> curves;
  for (const Line& line : lines) {
    curves.push_back(thinned(line));
    for (const Point& point : curves.back()) {
      axes.steps.take(double(point.step));
      axes.values.take(point.value);
    }
  }
  if (axes.values.empty()) return {};
  std::string out = fmt::format(
      "<figure class=plot><figcaption><b>{0}</b> <span class=dim>{2}by step</span></figcaption>\n"
      "<svg viewBox=\"0 0 400 196\" "
      "role=img aria-label=\"{0} over the steps\">\n{1}\n",
      html::escaped(title), grid(axes), unit.empty() ? "" : html::escaped(unit) + ", ");
  for (std::size_t i = 0; i < lines.size(); ++i) out += path(curves[i], axes, lines[i].style);
  out += "</svg>\n";
  if (lines.size() > 1) {
    out += "<div class=legend>";
    for (const Line& line : lines)
      out += fmt::format("<span class={}><i></i>{}</span>", line.style, html::escaped(line.label));
    out += "</div>";
  }
  return out + "</figure>\n";
}

}  // namespace hone::report
