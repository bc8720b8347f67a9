#include <fmt/format.h>
#include <fmt/ranges.h>

#include "datasets/audit/audit.h"

namespace hone::datasets::audit {
namespace {

struct Colours {
  const char *error, *warning, *note, *dim, *bold, *end;
};
constexpr Colours kPlain{"", "", "", "", "", ""};
constexpr Colours kAnsi{"\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[1m", "\x1b[0m"};

const char* colour_of(Severity severity, const Colours& colours) {
  switch (severity) {
    case Severity::kError:
      return colours.error;
    case Severity::kWarning:
      return colours.warning;
    case Severity::kNote:
      return colours.note;
  }
  return "";
}

std::string words(std::string_view key) {
  std::string text(key);
  for (char& c : text)
    if (c == '_') c = ' ';
  return text;
}

void append_overview(std::string& out, const Report& report) {
  std::vector<std::string> kinds;
  for (const auto& [kind, rows] : report.kinds)
    kinds.push_back(fmt::format("{} of kind {}", rows, name_of(kind)));
  out += fmt::format("{} rows of {}: {}\n", report.rows, fmt::join(report.files, ", "),
                     fmt::join(kinds, ", "));
  if (!report.eval.empty())
    out +=
        fmt::format("held against {} rows of {}\n", report.eval_rows, fmt::join(report.eval, ", "));
  if (!report.benchmark.empty())
    out += fmt::format(
        "held against {} texts of {} ({} of them have fewer than {} words and "
        "cannot be told)\n",
        report.benchmark_texts, fmt::join(report.benchmark, ", "), report.short_benchmark_texts,
        BenchmarkIndex::kLeastWords);
}

void append_distributions(std::string& out, const Report& report) {
  out += fmt::format("\n{:<15}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}\n", "", "least", "5 %", "median",
                     "95 %", "most", "mean");
  for (const Distribution& d : report.distributions)
    out += fmt::format("{:<15}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10.1f}\n", words(d.name), d.least, d.p05,
                       d.median, d.p95, d.most, d.mean);
  if (report.pairs.decided() > 0) {
    const auto [low, high] = report.pairs.interval();
    out += fmt::format("chosen longer  {:.1f} % of {} pairs (95 % interval {:.1f} to {:.1f})\n",
                       100 * report.pairs.share(), report.pairs.decided(), 100 * low, 100 * high);
  }
}

void append_scripts(std::string& out, const Report& report) {
  out += fmt::format("\n{:<15}{:>9}{:>12}{}\n", "script", "rows", "letters",
                     report.has_tokens ? "  tokens a letter" : "");
  for (std::size_t s = 1; s < kScripts; ++s) {
    const ScriptCounts& counts = report.scripts[s];
    if (counts.characters == 0) continue;
    out += fmt::format("{:<15}{:>9}{:>12}", script_name(static_cast<Script>(s)), counts.rows,
                       counts.characters);
    if (report.has_tokens)
      out += fmt::format("{:>17.2f}", double(counts.tokens) / double(counts.characters));
    out += '\n';
  }
}

void append_finding(std::string& out, const Finding& finding, const Colours& colours) {
  constexpr std::size_t kShown = 2;
  const Check& check = *finding.check;
  out += fmt::format("\n{}{:<8}{} {}{}{}: {} ({:.2f} %), {}\n", colour_of(check.severity, colours),
                     name_of(check.severity), colours.end, colours.bold, check.name, colours.end,
                     finding.count, 100 * finding.share, check.what);
  if (!finding.note.empty()) out += fmt::format("         {}\n", finding.note);
  for (std::size_t i = 0; i < std::min(kShown, finding.exhibits.size()); ++i) {
    const Exhibit& exhibit = finding.exhibits[i];
    out += fmt::format("         {}{}{}  {}{}{}\n", colours.dim, exhibit.place, colours.end,
                       exhibit.found, exhibit.excerpt.empty() || exhibit.found.empty() ? "" : "  ",
                       exhibit.excerpt);
  }
  out += fmt::format("         {}→ {}{}\n", colours.dim, check.remedy, colours.end);
}

}  // namespace

std::string text_report(const Report& report, bool colour) {
  const Colours& colours = colour ? kAnsi : kPlain;
  std::string out;
  append_overview(out, report);
  for (const Finding& finding : report.findings) append_finding(out, finding, colours);
  if (report.findings.empty()) out += "\nNothing was found.\n";
  append_distributions(out, report);
  append_scripts(out, report);
  if (!report.has_tokens) out += "\nGive --tokenizer for counts of tokens.\n";
  return out;
}

}  // namespace hone::datasets::audit
