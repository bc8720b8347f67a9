#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace hone::exporting {

/// The README.md of an export, for people and for model hubs (its head is YAML): what it was made
/// of, how it is served, what was measured.
/// @param about what the export's manifest says: target, form, type, base, notes, load_back, text,
///        quality, metrics, lineage
std::string model_card(const nlohmann::ordered_json& about);

/// The measured differences as a table, for the card and for people at a terminal.
std::string load_back_table(const nlohmann::ordered_json& load_back);

}  // namespace hone::exporting
