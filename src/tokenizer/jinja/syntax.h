#pragma once

#include <string>
#include <typeinfo>

// llama.cpp's lexer, parser and syntax tree; nothing else of it is used.
#include <jinja/lexer.h>
#include <jinja/parser.h>
#include <jinja/runtime.h>

namespace hone::tokenizer::jinja {

namespace ast = ::jinja;

/// A parsed template and the text that positions in the tree refer to.
struct Syntax {
  ast::program program;
  std::string source;
};

/// @throws DataError naming line and reason when it does not parse, or is larger or nested more
///   deeply than the parser's recursion can take
Syntax parse_template(const std::string& source);

/// The node as the type it has, nullptr where it is another.
template <class Node>
const Node* node_as(const ast::statement& node) {
  return typeid(node) == typeid(Node) ? static_cast<const Node*>(&node) : nullptr;
}

/// The line (from 1) of a byte of the source.
std::size_t line_of(const std::string& source, std::size_t position);

}  // namespace hone::tokenizer::jinja
