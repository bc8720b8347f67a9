#include "export/card.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace hone::exporting {
namespace {

using nlohmann::ordered_json;

/// A text under a path of keys; empty where it is not there.
std::string text_at(const ordered_json& json, const char* pointer) {
  const ordered_json::json_pointer at(pointer);
  if (!json.contains(at) || json.at(at).is_null()) return "";
  return json.at(at).is_string() ? json.at(at).get<std::string>() : json.at(at).dump();
}

const ordered_json& list_at(const ordered_json& json, const char* key) {
  static const ordered_json none = ordered_json::array();
  return json.is_object() && json.contains(key) && json[key].is_array() ? json[key] : none;
}

/// The lineage of the training: of the export's own parents the first that was trained.
const ordered_json& training_of(const ordered_json& lineage) {
  static const ordered_json none = ordered_json::object();
  for (const ordered_json& parent : list_at(lineage, "parents"))
    if (parent.contains("lineage") && parent["lineage"].is_object()) return parent["lineage"];
  return none;
}

void add_head(const ordered_json& about, const ordered_json& training, std::string& card) {
  std::set<std::string> licenses;
  for (const ordered_json& data : list_at(training, "data"))
    if (const std::string license = text_at(data, "/license"); !license.empty())
      licenses.insert(license);
  card += "---\n";
  card += fmt::format("base_model: {}\n", ordered_json(text_at(about, "/base/name")).dump());
  if (text_at(about, "/form") == "adapter") card += "library_name: peft\n";
  card += "tags:\n- hone\n";
  if (!licenses.empty()) card += "# licences of the data: see below\n";
  card += "---\n\n";
}

void add_origin(const ordered_json& about, const ordered_json& training, std::string& card) {
  card += "## What it was made of\n\n";
  card += fmt::format("- base: `{}`, SHA-256 of its weights `{}`\n", text_at(about, "/base/name"),
                      text_at(about, "/base/sha256"));
  for (const ordered_json& adapter : list_at(about, "adapters"))
    card += fmt::format("- adapter: `{}`\n", adapter.get<std::string>());
  for (const ordered_json& data : list_at(training, "data")) {
    const std::string license = text_at(data, "/license");
    const ordered_json& files = list_at(data, "files");
    const std::string file = files.empty() ? "" : text_at(files.front(), "/name");
    card +=
        fmt::format("- data: {} `{}`, {} rows, {} tokens of which {} trained; licence: {}\n",
                    text_at(data, "/name"), file, text_at(data, "/rows"), text_at(data, "/tokens"),
                    text_at(data, "/trained_tokens"), license.empty() ? "not said" : license);
  }
  card += fmt::format("- made by hone {} ({})\n", text_at(about, "/lineage/code/hone"),
                      text_at(about, "/lineage/code/commit"));
  for (const ordered_json& note : list_at(about, "notes"))
    card += fmt::format("- {}\n", note.get<std::string>());
  card += "\n";
}

void add_metrics(const ordered_json& about, std::string& card) {
  if (!about.contains("metrics") || !about["metrics"].is_object()) return;
  card += "## The run\n\n";
  for (const auto& [key, value] : about["metrics"].items())
    card += fmt::format("- {}: {}\n", key, value.dump());
  card += "\n";
}

void add_text(const ordered_json& about, std::string& card) {
  if (!about.contains("text")) return;
  card += "## Text\n\n";
  const ordered_json& differences = list_at(about["text"], "differences");
  if (differences.empty())
    card += "Vocabulary, stops, chat template and tokens are those of the training.\n\n";
  for (const ordered_json& difference : differences)
    card += fmt::format("- DIFFERENT: {}\n", difference.get<std::string>());
  if (!differences.empty()) card += "\n";
}

void add_quality(const ordered_json& about, std::string& card) {
  if (!about.contains("quality")) return;
  card += "## Before and after\n\n| metric | trained | exported |\n|---|---|---|\n";
  for (const auto& [name, metric] : about["quality"]["metrics"].items())
    card += fmt::format("| {} | {} | {} |\n", name, text_at(metric, "/base/value"),
                        text_at(metric, "/value"));
  card += "\n";
}

}  // namespace

std::string load_back_table(const ordered_json& load_back) {
  std::string table =
      "| computed in | largest change of a logit | mean | KL, nats a token | same greedy tokens | "
      "verdict |\n|---|---|---|---|---|---|\n";
  for (const ordered_json& row : list_at(load_back, "precisions"))
    table += fmt::format(
        "| {} | {:.3g} | {:.3g} | {:.3g} | {:.2f} % | {} |\n", row["precision"].get<std::string>(),
        row["largest_change_of_logits"].get<double>(), row["mean_change_of_logits"].get<double>(),
        row["kl_nats"].get<double>(), 100 * row["same_greedy_tokens"].get<double>(),
        row["verdict"].get<std::string>());
  return table;
}

std::string model_card(const ordered_json& about) {
  static const ordered_json none = ordered_json::object();
  const ordered_json& lineage = about.contains("lineage") ? about["lineage"] : none;
  const ordered_json& training = training_of(lineage);
  std::string card;
  add_head(about, training, card);
  card += fmt::format("# {} for {}\n\n{}.\n\n", text_at(about, "/form"), text_at(about, "/target"),
                      text_at(about, "/help"));
  if (const std::string serve = text_at(about, "/serve"); !serve.empty())
    card += fmt::format("```\n{}\n```\n\n", serve);
  add_origin(about, training, card);
  add_metrics(about, card);
  if (about.contains("load_back")) {
    card += fmt::format(
        "## Read again\n\nCompared with the trained model in fp32 on {} ({} tokens)."
        "\n\n{}\n",
        text_at(about, "/load_back/measured_on"), text_at(about, "/load_back/tokens"),
        load_back_table(about["load_back"]));
  }
  add_text(about, card);
  add_quality(about, card);
  card +=
      "`manifest.json` has all of this with the SHA-256 of every file; `hone verify-export` "
      "checks them.\n";
  return card;
}

}  // namespace hone::exporting
