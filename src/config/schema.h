#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/value.h"

namespace hone::config {

/// A promise about several options that a check holds the user to; shown by `hone explain`.
struct Rule {
  std::string section;
  std::string text;
};

struct SectionInfo {
  std::string key;
  std::string help;
};

/// What a table says, as data. Fields and sections stand in declared order, and those of a section
/// itself before those of sections inside it.
struct Schema {
  std::vector<SectionInfo> sections;  ///< the first is the table itself, with an empty key
  std::vector<Field> fields;
  std::vector<Rule> rules;

  /// Every dotted path there is, sections included.
  std::vector<std::string> paths() const;
};

/// Adds `part`, whose keys are relative to `section`, to `schema`.
void append(Schema& schema, const Schema& part, std::string_view section = "");

/// A declaration that cannot be right is a bug, found as soon as the table is first used.
/// @throws InternalError
void assert_sound(const Schema& schema);

// What may follow a field's default, in any order; a bare text is its help and has to be there.

struct Choices {
  std::vector<std::string> values;
};
struct Unit {
  std::string name;
};
enum class Trait { kScalarOrList, kExistingPath, kExistingFiles };

inline Choices choices(std::vector<std::string> values) { return {std::move(values)}; }
inline Unit unit(std::string name) { return {std::move(name)}; }
inline Range range(double low, double high) { return {low, high}; }
inline Range at_least(double low) { return {.low = low}; }
inline Range above(double low) { return {.low = low, .low_open = true}; }
inline Range at_most(double high) { return {.high = high}; }
inline Range below(double high) { return {.high = high, .high_open = true}; }
/// A single text may stand for a list of one.
inline constexpr Trait kScalarOrList = Trait::kScalarOrList;
/// The text is a path, and a file or folder has to be there when the config is loaded.
inline constexpr Trait kExistingPath = Trait::kExistingPath;
/// The same, or a shell pattern that matches a file.
inline constexpr Trait kExistingFiles = Trait::kExistingFiles;

/// In the place of a default: the user has to give the value.
struct Required {
  constexpr explicit Required(int) {}
};
inline constexpr Required kRequired{0};

void apply(Field& field, std::string_view help);
void apply(Field& field, const Choices& choices);
void apply(Field& field, const Unit& unit);
void apply(Field& field, const Range& range);
void apply(Field& field, Trait trait);

}  // namespace hone::config
