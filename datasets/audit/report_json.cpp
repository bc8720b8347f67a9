#include "datasets/audit/audit.h"

namespace hone::datasets::audit {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const Distribution& d) {
  return {{"count", d.count}, {"min", d.least}, {"p05", d.p05},   {"p25", d.p25},
          {"p50", d.median},  {"p75", d.p75},   {"p95", d.p95},   {"p99", d.p99},
          {"max", d.most},    {"mean", d.mean}, {"bins", d.bins}, {"bin_width", d.bin_width}};
}

ordered_json to_json(const Finding& finding) {
  ordered_json examples = ordered_json::array();
  for (const Exhibit& exhibit : finding.exhibits)
    examples.push_back(
        {{"row", exhibit.place}, {"found", exhibit.found}, {"excerpt", exhibit.excerpt}});
  const Check& check = *finding.check;
  return {{"check", check.name},    {"severity", name_of(check.severity)},
          {"what", check.what},     {"count", finding.count},
          {"share", finding.share}, {"note", finding.note},
          {"examples", examples},   {"how", check.how},
          {"remedy", check.remedy}};
}

ordered_json scripts_to_json(const Report& report) {
  ordered_json scripts = ordered_json::object();
  for (std::size_t s = 1; s < kScripts; ++s) {
    const ScriptCounts& counts = report.scripts[s];
    if (counts.characters == 0) continue;
    ordered_json& entry = scripts[std::string(script_name(static_cast<Script>(s)))];
    entry = {{"rows", counts.rows}, {"characters", counts.characters}};
    if (report.has_tokens) entry["tokens"] = counts.tokens;
  }
  return scripts;
}

}  // namespace

ordered_json json_report(const Report& report) {
  ordered_json json = {{"files", report.files},
                       {"rows", report.rows},
                       {"eval_files", report.eval},
                       {"eval_rows", report.eval_rows},
                       {"benchmark_files", report.benchmark},
                       {"benchmark_texts", report.benchmark_texts},
                       {"benchmark_texts_too_short", report.short_benchmark_texts}};
  json["kinds"] = ordered_json::object();
  for (const auto& [kind, rows] : report.kinds) json["kinds"][std::string(name_of(kind))] = rows;
  json["distributions"] = ordered_json::object();
  for (const Distribution& d : report.distributions) json["distributions"][d.name] = to_json(d);
  json["scripts"] = scripts_to_json(report);
  if (report.pairs.decided() + report.pairs.equal > 0) {
    const auto [low, high] = report.pairs.interval();
    json["pairs"] = {{"chosen_longer", report.pairs.chosen_longer},
                     {"rejected_longer", report.pairs.rejected_longer},
                     {"equal", report.pairs.equal},
                     {"share_chosen_longer", report.pairs.share()},
                     {"interval_95", {low, high}},
                     {"sign_test_p", report.pairs.sign_test()}};
  }
  json["findings"] = ordered_json::array();
  for (const Finding& finding : report.findings) json["findings"].push_back(to_json(finding));
  return json;
}

}  // namespace hone::datasets::audit
