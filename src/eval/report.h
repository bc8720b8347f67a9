#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "eval/evaluate.h"

namespace hone::eval {

/// One row's outcome: {"evaluation", "row", …}.
nlohmann::ordered_json to_json(const std::string& evaluation, const std::string& where,
                               const Outcome& outcome);

/// {"rows", …, "metrics": {NAME: {"value", "low", "high", "rows", "rows_for_difference"}}}; beside
/// a base also "base" and "difference", with a "verdict": better, worse or same.
/// @param base       the same evaluation of another model, or null
/// @param difference points that "rows_for_difference" is about
nlohmann::ordered_json to_json(const Evaluation& found, const Evaluation* base, double difference);

/// The same as lines for people.
std::string to_table(const Evaluation& found, const Evaluation* base, double difference);

/// "91.0 %", "34.2", "0.0113": a figure of a metric; and a difference of two: "+2.5 points".
std::string figure(const Metric& metric, double value);
std::string change(const Metric& metric, double difference);

}  // namespace hone::eval
