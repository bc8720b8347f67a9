#include "report/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/html.h"
#include "report/chart.h"
#include "report/diagnosis.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;
using html::escaped;
using nlohmann::ordered_json;

/// Evaluations stand beside what they evaluate.
constexpr std::array kChartsFirst = {"loss", "learning_rate", "grad_norm", "tokens_per_s", "epoch"};
/// Every step has its own; they say nothing as curves.
constexpr std::array kNoCharts = {"tokens",
                                  "trained_tokens",
                                  "time_s",
                                  "epoch",
                                  "eval_tokens",
                                  "eval_trained_tokens",
                                  "time_evaluation_s",
                                  "time_checkpoint_s"};
/// They share a chart.
constexpr std::array kPhaseCurves = {"time_data_s", "time_forward_s", "time_backward_s",
                                     "time_optimizer_s"};
constexpr std::size_t kStyles = 6;

std::string name_of(const RunHistory& run) {
  const fs::path folder = fs::absolute(run.folder).lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

std::string style_of(std::size_t number) { return fmt::format("run{}", number % kStyles); }

/// A fact of run.json: what it is called here, and how its value is written.
struct Fact {
  const char* label;
  const char* key;  ///< a JSON pointer
  std::string (*write)(const ordered_json& value);
};

std::string plain(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}
std::string four_places(const ordered_json& value) {
  return fmt::format("{:.4f}", value.get<double>());
}
std::string count(const ordered_json& value) { return html::grouped(value.get<std::int64_t>()); }
std::string rate(const ordered_json& value) { return fmt::format("{:.0f}", value.get<double>()); }
std::string duration(const ordered_json& value) { return in_time(value.get<double>()); }
std::string mebibytes(const ordered_json& value) {
  return fmt::format("{:.0f} MiB", value.get<double>() / (1 << 20));
}
std::string percent(const ordered_json& value) {
  return fmt::format("{:.1f} %", 100 * value.get<double>());
}
std::string two_places(const ordered_json& value) {
  return fmt::format("{:.2f} s", value.get<double>());
}
std::string gigaflops(const ordered_json& value) {
  return fmt::format("{:.0f} GFLOP/s", value.get<double>() / 1e9);
}
std::string short_hash(const ordered_json& value) { return plain(value).substr(0, 16); }

constexpr std::array kOutcome = {Fact{"status", "/status", plain},
                                 Fact{"final loss", "/final_loss", four_places},
                                 Fact{"evaluation loss", "/final_eval_loss", four_places},
                                 Fact{"steps", "/steps", count},
                                 Fact{"tokens", "/tokens", count},
                                 Fact{"tokens/s", "/tokens_per_s", rate},
                                 Fact{"of the matrix peak", "/mfu", percent},
                                 Fact{"peak memory", "/peak_memory_bytes", mebibytes},
                                 Fact{"time", "/wall_time_s", duration}};

constexpr std::array kOrigin = {Fact{"method", "/method", plain},
                                Fact{"seed", "/seed", plain},
                                Fact{"started", "/started_at", plain},
                                Fact{"ended", "/ended_at", plain},
                                Fact{"resumed after step", "/resumed_from_step", plain},
                                Fact{"base, SHA-256", "/hashes/base", short_hash},
                                Fact{"data, SHA-256", "/hashes/data", short_hash},
                                Fact{"config, SHA-256", "/hashes/config", short_hash},
                                Fact{"hone", "/versions/hone", plain},
                                Fact{"processor", "/host/cpu_model", plain},
                                Fact{"LibTorch", "/versions/libtorch", plain},
                                Fact{"error", "/error", plain}};

constexpr std::array kTime = {Fact{"waiting for rows", "/seconds_by_phase/data", two_places},
                              Fact{"forward", "/seconds_by_phase/forward", two_places},
                              Fact{"backward", "/seconds_by_phase/backward", two_places},
                              Fact{"optimizer", "/seconds_by_phase/optimizer", two_places},
                              Fact{"evaluation", "/seconds_by_phase/evaluation", two_places},
                              Fact{"checkpoints", "/seconds_by_phase/checkpoint", two_places},
                              Fact{"matrix products, at most", "/matrix_peak_flops", gigaflops},
                              Fact{"of that reached", "/mfu", percent}};

constexpr std::array kMemory = {
    Fact{"frozen weights", "/memory/weights_bytes", mebibytes},
    Fact{"trained weights", "/memory/trained_bytes", mebibytes},
    Fact{"gradients", "/memory/gradients_bytes", mebibytes},
    Fact{"moments", "/memory/moments_bytes", mebibytes},
    Fact{"activations, at most", "/memory/activations_peak_bytes", mebibytes}};

/// Empty where the record does not say.
std::string value_of(const Fact& fact, const RunHistory& run) {
  const ordered_json::json_pointer key(fact.key);
  if (!run.record.contains(key) || run.record[key].is_null()) return {};
  const ordered_json& value = run.record[key];
  try {
    return fact.write(value);
  } catch (const nlohmann::json::exception&) {
    return value.dump();  // the file is not as hone writes it; what it says is shown
  }
}

std::string tiles(const RunHistory& run) {
  std::string out = "<div class=tiles>";
  for (const Fact& fact : kOutcome)
    if (const std::string value = value_of(fact, run); !value.empty())
      out += html::tile(escaped(value), fact.label);
  return out + "</div>\n";
}

/// One row a fact that any run has, one column a run.
template <class Facts>
std::string facts_table(const Facts& facts, const std::vector<RunHistory>& runs) {
  std::string out = "<div class=table><table><tr><th></th>";
  for (const RunHistory& run : runs) out += fmt::format("<th>{}</th>", escaped(name_of(run)));
  out += "</tr>\n";
  for (const Fact& fact : facts) {
    std::string row, all;
    for (const RunHistory& run : runs) {
      const std::string value = value_of(fact, run);
      row += fmt::format("<td>{}</td>", escaped(value));
      all += value;
    }
    if (!all.empty()) out += fmt::format("<tr><td>{}</td>{}</tr>\n", fact.label, row);
  }
  return out + "</table></div>\n";
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
  return out.empty() ? "" : "<h2>What the curves say</h2>\n" + out;
}

void add_lines(const std::string& metric, const std::vector<RunHistory>& runs,
               std::vector<Line>& lines) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Curve* curve = runs[i].curve(metric);
    if (curve == nullptr) continue;
    std::string label = runs.size() > 1 ? name_of(runs[i]) : metric;
    if (runs.size() > 1 && metric.starts_with("eval_")) label += " (evaluation)";
    lines.push_back({curve, std::move(label), style_of(lines.size())});
  }
}

std::string charts(const std::vector<RunHistory>& runs) {
  std::vector<std::string> names(kChartsFirst.begin(), kChartsFirst.end());
  for (const RunHistory& run : runs)
    for (const auto& [name, curve] : run.curves)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  std::string out = "<h2>Curves</h2>\n<div class=plots>\n";
  for (const std::string& name : names) {
    const bool stands_elsewhere = std::ranges::find(kNoCharts, name) != kNoCharts.end() ||
                                  name == "eval_loss" ||
                                  std::ranges::find(kPhaseCurves, name) != kPhaseCurves.end();
    if (stands_elsewhere) continue;
    std::vector<Line> lines;
    add_lines(name, runs, lines);
    if (name == "loss") add_lines("eval_loss", runs, lines);
    if (!lines.empty()) out += chart(name, lines);
  }
  std::vector<Line> phases;
  if (runs.size() == 1)
    for (const char* name : kPhaseCurves) add_lines(name, runs, phases);
  if (!phases.empty()) out += chart("seconds by phase", phases);
  return out + "</div>\n";
}

/// The options that are not the same in all runs.
std::string differences(const std::vector<RunHistory>& runs) {
  std::set<std::string> keys;
  for (const RunHistory& run : runs)
    for (const auto& [key, value] : run.config) keys.insert(key);
  std::string rows;
  for (const std::string& key : keys) {
    std::string row;
    std::set<std::string> values;
    for (const RunHistory& run : runs) {
      const auto found = run.config.find(key);
      const std::string value = found == run.config.end() ? "" : found->second;
      row += fmt::format("<td>{}</td>", escaped(value));
      values.insert(value);
    }
    if (values.size() > 1)
      rows += fmt::format("<tr><td><code>{}</code></td>{}</tr>\n", escaped(key), row);
  }
  if (rows.empty()) return "<h2>Options</h2>\n<p>All runs have the same.</p>\n";
  std::string head = "<h2>Options that differ</h2>\n<div class=table><table><tr><th></th>";
  for (const RunHistory& run : runs) head += fmt::format("<th>{}</th>", escaped(name_of(run)));
  return head + "</tr>\n" + rows + "</table></div>\n";
}

/// Links from the page, which lies in the run's folder, to what lies beside it.
std::string artefacts(const RunHistory& run) {
  std::string out;
  for (const char* name : {"adapter", "model", "checkpoints", "config.resolved.yaml",
                           "metrics.jsonl", "metrics.csv", "run.json"})
    if (fs::exists(run.folder / name)) out += fmt::format("<li><a href=\"{0}\">{0}</a></li>", name);
  return out.empty() ? "" : "<h2>Files</h2>\n<ul>" + out + "</ul>\n";
}

}  // namespace

std::string in_time(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string run_page(const std::vector<RunHistory>& runs) {
  const RunHistory& first = runs.front();
  const bool is_one = runs.size() == 1;
  const std::string title = is_one ? "Run " + name_of(first) : fmt::format("{} runs", runs.size());
  std::string out = fmt::format("<h1>{}</h1>\n", escaped(title));
  out += is_one ? tiles(first) : facts_table(kOutcome, runs);
  out += diagnoses(runs) + charts(runs);
  if (!is_one) out += differences(runs);
  out +=
      "<h2>Where time and memory go</h2>\n" + facts_table(kTime, runs) + facts_table(kMemory, runs);
  out += "<h2>Where it comes from</h2>\n" + facts_table(kOrigin, runs);
  if (is_one && !first.config_text.empty())
    out += "<h2>Config</h2>\n<details><summary>every option, as it was resolved</summary><pre>" +
           escaped(first.config_text) + "</pre></details>\n";
  if (is_one) out += artefacts(first);
  return html::page(title, out);
}

}  // namespace hone::report
