#include "eval/json_schema.h"

// Without it valijson would end the process where it refuses a schema.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <nlohmann/json.hpp>
#include <regex>

#include "base/error.h"
#include "io/json.h"

namespace hone::eval {

using valijson::adapters::NlohmannJsonAdapter;

struct JsonSchema::Compiled {
  std::string file;
  valijson::Schema schema;
};

JsonSchema JsonSchema::load(const std::filesystem::path& file) {
  const nlohmann::json document = io::read_json(file);
  auto compiled = std::make_shared<Compiled>();
  compiled->file = file.string();
  HONE_CHECK(ConfigError, document.is_object() || document.is_boolean(),
             "{}: expected a JSON Schema, which is an object, got {}", file.string(),
             document.type_name());
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    const NlohmannJsonAdapter adapter(document);
    parser.populateSchema(adapter, compiled->schema);
  } catch (const std::exception& error) {
    throw ConfigError(
        fmt::format("{}: is no JSON Schema that hone can use: {}", file.string(), error.what()));
  }
  return JsonSchema(std::move(compiled));
}

bool JsonSchema::accepts(std::string_view text) const {
  const nlohmann::json value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return false;
  const NlohmannJsonAdapter adapter(value);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  try {
    return validator.validate(compiled_->schema, adapter, /*results=*/nullptr);
  } catch (const std::regex_error& error) {  // a `pattern` is compiled when it is first met
    throw ConfigError(fmt::format("{}: a `pattern` in it is no regular expression: {}",
                                  compiled_->file, error.what()));
  }
}

}  // namespace hone::eval
