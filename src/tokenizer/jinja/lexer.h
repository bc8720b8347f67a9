#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer::jinja {

struct Token {
  enum Type {
    kText,
    kPrintBegin,
    kPrintEnd,
    kTagBegin,
    kTagEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Type type;
  std::string value;  ///< text, name, string without quotes and escapes, or operator
  std::size_t pos;    ///< byte of the source
  std::int64_t integer = 0;
  double real = 0;
};

/// The source as positions count it: newlines are \n, and one at the end is gone.
std::string normalise_source(std::string_view source);

/// Cuts a normalised source into tokens as Jinja does with trim_blocks and lstrip_blocks. Comments
/// are gone, and {% raw %} is text. The last token is kEnd.
/// @throws TemplateFault TemplateSyntaxError; `position` is then where
std::vector<Token> tokenize(const std::string& source, std::size_t& position);

}  // namespace hone::tokenizer::jinja
