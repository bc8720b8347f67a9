#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::report {

/// What a fact of a run is about: where a page tells of it.
enum class About { kOutcome, kData, kTime, kMemory, kOrigin };

/// A fact of run.json: what it is called for people, and how its value is written.
struct Fact {
  About about;
  const char* label;
  const char* key;  ///< a JSON pointer
  std::string (*write)(const nlohmann::ordered_json& value);
};

/// The table of facts, in the order in which they are told.
const std::vector<Fact>& run_facts();
/// @throws InternalError for a key that is not in the table
const Fact& fact_at(const std::string& key);

/// A fact's value with its unit. What is not as hone writes it is shown as it stands.
/// @return empty where the record does not say
std::string text_of(const Fact& fact, const nlohmann::ordered_json& record);

}  // namespace hone::report
