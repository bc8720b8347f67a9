#include "config/schema.h"

#include <cmath>
#include <set>

#include "base/error.h"
#include "config/problems.h"

namespace hone::config {
namespace {

void assert_sound(const Field& field) {
  const bool is_text = field.type == Type::kString || field.type == Type::kStrings;
  const bool has_range = std::isfinite(field.range.low) || std::isfinite(field.range.high);
  const bool is_number = field.type == Type::kInteger || field.type == Type::kNumber ||
                         field.type == Type::kNumbers || field.type == Type::kNumberMap;
  HONE_ASSERT(!field.help.empty(), "option {} has no help text", field.key);
  HONE_ASSERT(is_text || (field.choices.empty() && !field.existing_path),
              "option {} is not text, so it has neither choices nor a path", field.key);
  HONE_ASSERT(is_number || !has_range, "option {} is not a number, so it has no range", field.key);
  HONE_ASSERT(field.type == Type::kStrings || !field.scalar_or_list,
              "option {} is not a list of strings", field.key);
  HONE_ASSERT((field.type == Type::kRecords) == (field.item != nullptr),
              "option {} is a list of mappings exactly where its items have a table", field.key);
  if (!field.required) {
    const std::string why = violation(field.default_value, field);
    HONE_ASSERT(why.empty(), "the default of option {}: {}", field.key, why);
  }
}

}  // namespace

std::vector<std::string> Schema::paths() const {
  std::vector<std::string> paths;
  for (const SectionInfo& section : sections)
    if (!section.key.empty()) paths.push_back(section.key);
  for (const Field& field : fields) paths.push_back(field.key);
  return paths;
}

void append(Schema& schema, const Schema& part, std::string_view section) {
  for (SectionInfo info : part.sections) {
    info.key = join_path(section, info.key);
    schema.sections.push_back(std::move(info));
  }
  for (Field field : part.fields) {
    field.key = join_path(section, field.key);
    schema.fields.push_back(std::move(field));
  }
  for (Rule rule : part.rules) {
    rule.section = join_path(section, rule.section);
    schema.rules.push_back(std::move(rule));
  }
}

void assert_sound(const Schema& schema) {
  std::set<std::string> seen;
  for (const std::string& path : schema.paths())
    HONE_ASSERT(seen.insert(path).second, "two options or sections are named {}", path);
  bool in_section = false;
  for (const Field& field : schema.fields) {
    const bool was_in_section = std::exchange(in_section, !parent_of(field.key).empty());
    HONE_ASSERT(in_section || !was_in_section, "option {} stands behind a section", field.key);
    assert_sound(field);
  }
}

void apply(Field& field, std::string_view help) { field.help = help; }
void apply(Field& field, const Choices& choices) { field.choices = choices.values; }
void apply(Field& field, const Unit& unit) { field.unit = unit.name; }

void apply(Field& field, const Range& range) {
  if (range.low > field.range.low) {
    field.range.low = range.low;
    field.range.low_open = range.low_open;
  }
  if (range.high < field.range.high) {
    field.range.high = range.high;
    field.range.high_open = range.high_open;
  }
}

void apply(Field& field, Trait trait) {
  if (trait == Trait::kScalarOrList) field.scalar_or_list = true;
  if (trait == Trait::kExistingPath) field.existing_path = true;
  if (trait == Trait::kExistingFiles) field.existing_path = field.path_pattern = true;
}

}  // namespace hone::config
