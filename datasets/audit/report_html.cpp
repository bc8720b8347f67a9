#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/html.h"
#include "datasets/audit/audit.h"

namespace hone::datasets::audit {
namespace {

using html::escaped;
using html::grouped;
using html::tile;

std::string in_words(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string tiles(const Report& report) {
  std::array<std::int64_t, 3> levels{};
  for (const Finding& finding : report.findings)
    ++levels[static_cast<std::size_t>(finding.check->severity)];
  std::string out = "<div class=tiles>" + tile(grouped(report.rows), "rows");
  for (const Distribution& d : report.distributions)
    if (d.name == (report.has_tokens ? "tokens" : "characters"))
      out += tile(grouped(d.median), in_words(d.name) + " in the median row");
  if (report.pairs.decided() > 0)
    out += tile(fmt::format("{:.0f} %", 100 * report.pairs.share()), "of pairs: chosen is longer");
  const char* kLabels[] = {"errors", "warnings", "notes"};
  for (std::size_t level = 0; level < levels.size(); ++level)
    out += tile(grouped(levels[level]), kLabels[level]);
  return out + "</div>\n";
}

std::string share_bar(double share) {
  return fmt::format("<div class=share><i style=\"width:{:.2f}%\"></i></div>",
                     std::clamp(100 * share, 0.4, 100.0));
}

std::string finding_card(const Finding& finding) {
  const Check& check = *finding.check;
  std::string out = fmt::format(
      "<section class=\"finding {0}\"><header><h3>{1}</h3><span class=level>{0}</span>"
      "<span class=count>{2} · {3:.2f} %</span></header>\n{4}<p>{5}</p>\n",
      name_of(check.severity), in_words(check.name), grouped(finding.count), 100 * finding.share,
      share_bar(finding.share), escaped(check.what));
  if (!finding.note.empty()) out += fmt::format("<p>{}</p>\n", escaped(finding.note));
  out += "<ul class=rows>";
  for (const Exhibit& exhibit : finding.exhibits)
    out += fmt::format("<li><span class=place>{}</span>{} <span class=dim>{}</span></li>\n",
                       escaped(exhibit.place), escaped(exhibit.found), escaped(exhibit.excerpt));
  return out + fmt::format(
                   "</ul><p><b>What to do.</b> {}</p>\n<details><summary>How it is told</summary>"
                   "{}</details></section>\n",
                   escaped(check.remedy), escaped(check.how));
}

/// A histogram with its median. The plot is 400 by 150 units; the axis takes the lowest 25.
std::string histogram(const Distribution& d) {
  constexpr double kWidth = 400, kHeight = 125;
  const std::int64_t highest =
      std::max<std::int64_t>(1, *std::max_element(d.bins.begin(), d.bins.end()));
  const double step = std::min(40.0, kWidth / static_cast<double>(d.bins.size()));
  const double width = step * static_cast<double>(d.bins.size());
  std::string out = fmt::format(
      "<figure class=plot><figcaption><b>{}</b> <span class=dim>median {}, 95 % up to {}, most {}"
      "</span></figcaption>\n<svg viewBox=\"0 0 400 150\" role=img aria-label=\"{} a row\">\n",
      in_words(d.name), grouped(d.median), grouped(d.p95), grouped(d.most), in_words(d.name));
  for (std::size_t bin = 0; bin < d.bins.size(); ++bin) {
    const double height = kHeight * static_cast<double>(d.bins[bin]) / static_cast<double>(highest);
    const std::int64_t from = d.least + static_cast<std::int64_t>(bin) * d.bin_width;
    const bool is_last = bin + 1 == d.bins.size();
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{} to {}: {} "
        "rows"
        "</title></rect>",
        static_cast<double>(bin) * step, kHeight - height, std::max(step - 1, 1.0), height,
        grouped(from), grouped(is_last ? d.most : from + d.bin_width - 1), grouped(d.bins[bin]));
  }
  const double median = std::min(
      width,
      step * (static_cast<double>(d.median - d.least) / static_cast<double>(d.bin_width) + 0.5));
  const std::int64_t right = d.least + std::ssize(d.bins) * d.bin_width - 1;
  const std::string end = d.most > right      ? grouped(right) + " and more"
                          : d.most == d.least ? ""
                                              : grouped(d.most);
  return out + fmt::format(
                   "\n<line x1=0 x2=\"{3:.1f}\" y1=125 y2=125 /><line class=median x1=\"{0:.1f}\" "
                   "x2=\"{0:.1f}\" "
                   "y1=0 y2=125 />\n<text x=0 y=143>{1}</text><text x=\"{3:.1f}\" y=143 "
                   "text-anchor=end>{2}</text>"
                   "</svg></figure>\n",
                   median, grouped(d.least), end, width);
}

std::string scripts_table(const Report& report) {
  std::int64_t all = 0;
  for (std::size_t s = 1; s < kScripts; ++s) all += report.scripts[s].characters;
  if (all == 0) return "";
  std::string out = fmt::format(
      "<h2>Scripts</h2>\n<div class=table><table><tr><th>script</th><th>rows</th><th>letters</th>"
      "<th>share</th>{}</tr>\n",
      report.has_tokens ? "<th>tokens a letter</th>" : "");
  for (std::size_t s = 1; s < kScripts; ++s) {
    const ScriptCounts& counts = report.scripts[s];
    if (counts.characters == 0) continue;
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td>", script_name(static_cast<Script>(s)),
        grouped(counts.rows), grouped(counts.characters),
        share_bar(static_cast<double>(counts.characters) / static_cast<double>(all)));
    if (report.has_tokens)
      out += fmt::format("<td>{:.2f}</td>", static_cast<double>(counts.tokens) /
                                                static_cast<double>(counts.characters));
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string introduction(const Report& report) {
  std::vector<std::string> kinds;
  for (const auto& [kind, rows] : report.kinds)
    kinds.push_back(fmt::format("{}: {} rows", name_of(kind), grouped(rows)));
  std::string out = fmt::format("<h1>Data audit</h1>\n<p><code>{}</code></p><p class=dim>{}</p>\n",
                                escaped(fmt::format("{}", fmt::join(report.files, ", "))),
                                escaped(fmt::format("{}", fmt::join(kinds, ", "))));
  if (!report.eval.empty())
    out += fmt::format("<p class=dim>Held against {} rows of <code>{}</code></p>\n",
                       grouped(report.eval_rows),
                       escaped(fmt::format("{}", fmt::join(report.eval, ", "))));
  if (!report.benchmark.empty())
    out += fmt::format(
        "<p class=dim>Held against {} texts of <code>{}</code>; {} of them have fewer than {} "
        "words "
        "and cannot be told.</p>\n",
        grouped(report.benchmark_texts),
        escaped(fmt::format("{}", fmt::join(report.benchmark, ", "))),
        grouped(report.short_benchmark_texts), BenchmarkIndex::kLeastWords);
  return out;
}

}  // namespace

std::string html_report(const Report& report) {
  std::string out = introduction(report) + tiles(report) + "<h2>Findings</h2>\n";
  for (const Finding& finding : report.findings) out += finding_card(finding);
  if (report.findings.empty()) out += "<p>Nothing was found.</p>\n";
  out += "<h2>Distributions</h2>\n<div class=plots>";
  for (const Distribution& d : report.distributions)
    if (!d.bins.empty()) out += histogram(d);
  return html::page("Data audit", out + "</div>\n" + scripts_table(report));
}

}  // namespace hone::datasets::audit
