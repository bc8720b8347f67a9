#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "datasets/audit/audit.h"

namespace hone::datasets::audit {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--page:#fbfaf8;--card:#fff;--ink:#1f2328;--dim:#667080;--line:#e4e2dd;
--bar:#5b7fb5;--soft:#eef2f8;--error:#b3362b;--warning:#a86a00;--note:#3d7a5c}
@media(prefers-color-scheme:dark){:root{--page:#15171a;--card:#1c1f23;--ink:#e4e6e8;--dim:#98a1ad;
--line:#2e3238;--bar:#7c9fd3;--soft:#242a33;--error:#f08579;--warning:#e0aa4f;--note:#7fc4a0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:2.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem;letter-spacing:-.01em}
h2{font-size:1.1rem;margin:2.5rem 0 .8rem}
p{margin:.2rem 0}.dim{color:var(--dim)}
code,.place{font:.85em/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1.5rem 0}
.tile,.finding,.plot,.table{background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.tile{padding:.8rem 1rem}.tile b{display:block;font-size:1.5rem;font-weight:600;line-height:1.25;
font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:.85rem}
.finding{padding:1rem 1.2rem;margin:.75rem 0;border-left:.3rem solid var(--tone)}
.finding header{display:flex;gap:.75rem;align-items:baseline;flex-wrap:wrap}
.finding h3{margin:0;font-size:1rem}.finding .level{color:var(--tone);font-size:.8rem;font-weight:600}
.finding .count{margin-left:auto;font-variant-numeric:tabular-nums}
.share{height:.3rem;border-radius:.15rem;background:var(--soft);margin:.6rem 0;overflow:hidden}
.share i{display:block;height:100%;background:var(--tone)}
.error{--tone:var(--error)}.warning{--tone:var(--warning)}.note{--tone:var(--note)}
ul.rows{list-style:none;margin:.6rem 0;padding:0;font-size:.88rem}
ul.rows li{padding:.3rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.place{color:var(--dim);margin-right:.6rem}
details{font-size:.88rem;color:var(--dim);margin-top:.4rem}summary{cursor:pointer}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.75rem}
.plot{padding:.9rem 1rem;margin:0}.plot figcaption{font-size:.9rem;margin-bottom:.3rem}
.plot svg{display:block;width:100%;height:auto}
.plot rect{fill:var(--bar)}.plot text{fill:var(--dim);font-size:14px}
.plot line{stroke:var(--line)}.plot .median{stroke:var(--ink);stroke-dasharray:3 3}
.table{overflow-x:auto;padding:.4rem 1rem}table{border-collapse:collapse;width:100%;font-size:.9rem}
th{font-weight:500;color:var(--dim);text-align:right}td{text-align:right;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}th,td{padding:.35rem .5rem;border-top:1px solid var(--line)}
tr:first-child th{border-top:0}td .share{--tone:var(--bar);min-width:6rem;margin:.2rem 0}
)css";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// 1234567 as "1,234,567"; counts are not negative.
std::string grouped(std::int64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string in_words(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string tile(const std::string& number, const std::string& label) {
  return fmt::format("<div class=tile><b>{}</b><span>{}</span></div>", number, escaped(label));
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
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>Data audit</title><style>{}</style></head>\n<body>\n",
      kStyle);
  out += introduction(report) + tiles(report) + "<h2>Findings</h2>\n";
  for (const Finding& finding : report.findings) out += finding_card(finding);
  if (report.findings.empty()) out += "<p>Nothing was found.</p>\n";
  out += "<h2>Distributions</h2>\n<div class=plots>";
  for (const Distribution& d : report.distributions)
    if (!d.bins.empty()) out += histogram(d);
  return out + "</div>\n" + scripts_table(report) + "</body></html>\n";
}

}  // namespace hone::datasets::audit
