#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace hone::eval {

/// A JSON Schema (up to draft 7) that answers are held against.
class JsonSchema {
 public:
  /// @throws DataError where the file is no JSON
  /// @throws ConfigError where it is no schema, or refers to another document
  static JsonSchema load(const std::filesystem::path& file);

  /// Whether the text is one JSON value, with nothing but blanks around it, that fits the schema.
  bool accepts(std::string_view text) const;

 private:
  struct Compiled;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace hone::eval
