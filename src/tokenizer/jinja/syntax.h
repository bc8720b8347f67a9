#pragma once

#include <string>

#include "tokenizer/jinja/ast.h"

namespace hone::tokenizer::jinja {

/// A parsed template and the text that positions in the tree refer to.
struct Syntax {
  ast::Nodes body;
  std::string source;
};

/// @throws DataError naming line and reason when it does not parse, or is larger or nested more
///   deeply than any real one
Syntax parse_template(const std::string& source);

/// The line (from 1) of a byte of the source.
std::size_t line_of(const std::string& source, std::size_t position);

}  // namespace hone::tokenizer::jinja
