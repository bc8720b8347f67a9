#include "report/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

#include "base/html.h"
#include "report/chart.h"
#include "report/diagnosis.h"
#include "report/run_facts.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;
using html::escaped;

constexpr std::size_t kStyles = 6;

/// A metric as it is drawn.
struct Drawn {
  const char* metric;
  const char* title;
  const char* unit;
  double scale = 1;  ///< from the metric's own unit
};

/// They come first, by these names; others follow under their own.
constexpr Drawn kDrawn[] = {{"loss", "loss", ""},
                            {"learning_rate", "learning rate", ""},
                            {"grad_norm", "gradient norm", "before clipping"},
                            {"tokens_per_s", "throughput", "tokens/s"},
                            {"activations_peak_bytes", "activations", "MiB", 1.0 / (1 << 20)},
                            {"mfu", "matrix peak reached", "%", 100}};
/// They share a chart. Times of evaluations and checkpoints say nothing as curves.
constexpr Drawn kPhases[] = {{"time_data_s", "waiting for rows", "s"},
                             {"time_forward_s", "forward", "s"},
                             {"time_backward_s", "backward", "s"},
                             {"time_optimizer_s", "optimizer", "s"}};
/// They stand in another metric's chart, or say nothing as curves.
constexpr std::array kNotDrawn = {"eval_loss",        "tokens",
                                  "trained_tokens",   "epoch",
                                  "eval_tokens",      "eval_trained_tokens",
                                  "time_s",           "time_evaluation_s",
                                  "time_checkpoint_s"};

std::string name_of(const RunHistory& run) {
  const fs::path folder = fs::absolute(run.folder).lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

std::string style_of(std::size_t number) { return fmt::format("run{}", number % kStyles); }

std::string tiles(const RunHistory& run) {
  std::string out = "<div class=tiles>";
  for (const Fact& fact : run_facts())
    if (const std::string text = text_of(fact, run.record);
        fact.about == About::kOutcome && !text.empty())
      out += html::tile(escaped(text), fact.label);
  return out + "</div>\n";
}

/// One row of a table that has a column for each run.
struct Row {
  std::string head;  ///< HTML
  std::vector<std::string> texts;
};

/// @return empty where there are no rows
std::string table(const std::vector<RunHistory>& runs, const std::vector<Row>& rows) {
  if (rows.empty()) return {};
  std::string out = "<div class=table><table>";
  if (runs.size() > 1) {
    out += "<tr><th></th>";
    for (const RunHistory& run : runs) out += fmt::format("<th>{}</th>", escaped(name_of(run)));
    out += "</tr>\n";
  }
  for (const Row& row : rows) {
    out += fmt::format("<tr><td>{}</td>", row.head);
    for (const std::string& text : row.texts) out += fmt::format("<td>{}</td>", escaped(text));
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

/// The facts that any of the runs has.
std::string facts(About about, const std::vector<RunHistory>& runs) {
  std::vector<Row> rows;
  for (const Fact& fact : run_facts()) {
    if (fact.about != about) continue;
    Row row = {fact.label, {}};
    for (const RunHistory& run : runs) row.texts.push_back(text_of(fact, run.record));
    if (std::ranges::any_of(row.texts, [](const std::string& text) { return !text.empty(); }))
      rows.push_back(std::move(row));
  }
  return table(runs, rows);
}

std::string section(const char* title, const std::string& content) {
  return content.empty() ? "" : fmt::format("<h2>{}</h2>\n{}", title, content);
}

std::string diagnoses(const std::vector<RunHistory>& runs) {
  std::string out;
  for (const RunHistory& run : runs)
    for (const Diagnosis& one : diagnose(run))
      out += fmt::format(
          "<section class=\"finding warning\"><header><h3>{}</h3><span class=level>{}</span>"
          "</header><p>{}</p><p><b>What to do.</b> {}</p></section>\n",
          one.name, runs.size() > 1 ? escaped(name_of(run)) : "", escaped(one.what),
          escaped(one.advice));
  return out;
}

void add_lines(const Drawn& drawn, const std::vector<RunHistory>& runs, const std::string& label,
               std::vector<Line>& lines) {
  for (const RunHistory& run : runs)
    if (const Curve* curve = run.curve(drawn.metric)) {
      const std::string of_run = runs.size() > 1 ? name_of(run) : "";
      const char* gap = of_run.empty() || label.empty() ? "" : ", ";
      lines.push_back({curve, of_run + gap + label, style_of(lines.size()), drawn.scale});
    }
}

/// The metrics of all runs in the order of their charts.
std::vector<Drawn> drawn_of(const std::vector<RunHistory>& runs) {
  std::vector<Drawn> all(std::begin(kDrawn), std::end(kDrawn));
  const auto is_known = [&](const std::string& name) {
    const auto is_it = [&](const Drawn& drawn) { return name == drawn.metric; };
    return std::ranges::any_of(all, is_it) || std::ranges::any_of(kPhases, is_it) ||
           std::ranges::find(kNotDrawn, name) != kNotDrawn.end();
  };
  for (const RunHistory& run : runs)
    for (const auto& [name, curve] : run.curves)
      if (!is_known(name)) all.push_back({name.c_str(), name.c_str(), ""});
  return all;
}

std::string charts(const std::vector<RunHistory>& runs) {
  std::string out;
  for (const Drawn& drawn : drawn_of(runs)) {
    std::vector<Line> lines;
    const bool is_loss = drawn.metric == std::string_view("loss");
    add_lines(drawn, runs, is_loss && runs.size() == 1 ? "training" : "", lines);
    if (is_loss) add_lines({"eval_loss", "", ""}, runs, "evaluation", lines);
    out += chart(drawn.title, drawn.unit, lines);
  }
  std::vector<Line> phases;
  if (runs.size() == 1)
    for (const Drawn& phase : kPhases) add_lines(phase, runs, phase.title, phases);
  out += chart("time by phase", "s", phases);
  return out.empty() ? "" : "<div class=plots>\n" + out + "</div>\n";
}

/// The options that are not the same in all runs.
std::string differences(const std::vector<RunHistory>& runs) {
  std::set<std::string> keys;
  for (const RunHistory& run : runs)
    for (const auto& [key, value] : run.config) keys.insert(key);
  std::vector<Row> rows;
  for (const std::string& key : keys) {
    Row row = {"<code>" + escaped(key) + "</code>", {}};
    for (const RunHistory& run : runs) {
      const auto found = run.config.find(key);
      row.texts.push_back(found == run.config.end() ? "" : found->second);
    }
    if (std::ranges::any_of(row.texts, [&](const auto& text) { return text != row.texts[0]; }))
      rows.push_back(std::move(row));
  }
  return section("Options that differ", rows.empty() ? "<p>None.</p>\n" : table(runs, rows));
}

/// A link from one folder into another, written as in a URL.
std::string link_of(const fs::path& file, const fs::path& from) {
  const std::string path = fs::absolute(file)
                               .lexically_normal()
                               .lexically_proximate(fs::absolute(from))
                               .generic_string();
  std::string link;
  for (const char byte : path) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(byte)) != 0 ||
                          std::string_view("/._-~").find(byte) != std::string_view::npos;
    link +=
        is_plain ? std::string(1, byte) : fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  }
  return link;
}

/// Links from the page to what lies in the run's folder.
std::string artefacts(const RunHistory& run, const fs::path& page_folder) {
  std::string out;
  for (const char* name : {"adapter", "model", "checkpoints", "config.resolved.yaml",
                           "metrics.jsonl", "metrics.csv", "run.json"})
    if (fs::exists(run.folder / name))
      out += fmt::format("<li><a href=\"{}\">{}</a></li>", link_of(run.folder / name, page_folder),
                         name);
  return out.empty() ? "" : "<h2>Files</h2>\n<ul>" + out + "</ul>\n";
}

}  // namespace

std::string run_page(const std::vector<RunHistory>& runs, const fs::path& page_folder) {
  const RunHistory& first = runs.front();
  const bool is_one = runs.size() == 1;
  const std::string title = is_one ? "Run " + name_of(first) : fmt::format("{} runs", runs.size());
  std::string out = fmt::format("<h1>{}</h1>\n", escaped(title));
  out += is_one ? tiles(first) : facts(About::kOutcome, runs);
  out += section("What the curves say", diagnoses(runs)) + section("Curves", charts(runs));
  if (!is_one) out += differences(runs);
  out += section("Data", facts(About::kData, runs));
  out += section("Where the time goes", facts(About::kTime, runs));
  out += section("What the memory holds", facts(About::kMemory, runs));
  out += section("Where it comes from", facts(About::kOrigin, runs));
  if (is_one && !first.config_text.empty())
    out += "<h2>Config</h2>\n<details><summary>every option, as it was resolved</summary><pre>" +
           escaped(first.config_text) + "</pre></details>\n";
  if (is_one) out += artefacts(first, page_folder);
  return html::page(title, out);
}

}  // namespace hone::report
