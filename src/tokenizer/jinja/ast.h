#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

/// The syntax tree of a template, named as Jinja's manual names its parts.
namespace hone::tokenizer::jinja::ast {

struct Node {
  std::size_t pos = 0;  ///< byte of the source
  virtual ~Node() = default;
};
using NodePtr = std::unique_ptr<Node>;
using Nodes = std::vector<NodePtr>;

/// The node as the type it has, nullptr where it is another.
template <class T>
const T* as(const Node& node) {
  return typeid(node) == typeid(T) ? static_cast<const T*>(&node) : nullptr;
}

// Expressions.

struct Name : Node {
  std::string name;
};
struct StringLiteral : Node {  ///< also the text between tags
  std::string value;
};
struct IntegerLiteral : Node {
  std::int64_t value = 0;
};
struct FloatLiteral : Node {
  double value = 0;
};
struct ListLiteral : Node {
  Nodes items;
};
struct TupleLiteral : Node {
  Nodes items;
};
struct DictLiteral : Node {
  std::vector<std::pair<NodePtr, NodePtr>> items;
};
struct Attribute : Node {  ///< object.name
  NodePtr object;
  std::string name;
};
struct Item : Node {  ///< object[key]
  NodePtr object, key;
};
struct Slice : Node {  ///< only as the key of an Item; each part may be left out
  NodePtr start, stop, step;
};
struct Argument : Node {
  enum Kind { kPositional, kNamed, kList, kDict };  ///< the last two: *value and **value
  Kind kind = kPositional;
  std::string name;
  NodePtr value;
};
struct Call : Node {
  NodePtr callee;
  std::vector<Argument> arguments;
};
struct Filter : Node {
  NodePtr operand;  ///< null where a block is what is filtered
  std::string name;
  std::vector<Argument> arguments;
};
struct Test : Node {
  NodePtr operand;
  std::string name;
  bool negated = false;
  std::vector<Argument> arguments;
};
struct Unary : Node {
  std::string op;
  NodePtr operand;
};
struct Binary : Node {
  std::string op;
  NodePtr left, right;
};
struct Comparison : Node {  ///< a < b < c compares neighbours
  NodePtr first;
  std::vector<std::pair<std::string, NodePtr>> rest;
};
struct Conditional : Node {
  NodePtr condition, if_true, if_false;  ///< the last is null without an else
};

// Statements.

struct If : Node {
  std::vector<std::pair<NodePtr, Nodes>> branches;
  Nodes otherwise;
};
struct For : Node {
  NodePtr target, iterable, condition;  ///< the last is null without an if
  Nodes body, otherwise;
};
struct Break : Node {};
struct Continue : Node {};
struct Set : Node {
  NodePtr target, value;  ///< without a value the body's text, through the filters
  std::vector<Filter> filters;
  Nodes body;
};
struct Parameter {
  std::string name;
  NodePtr default_value;  ///< may be null
};
struct Macro : Node {
  std::string name;
  std::vector<Parameter> parameters;
  Nodes body;
};
struct CallBlock : Node {
  std::unique_ptr<Call> call;
  std::vector<Parameter> parameters;
  Nodes body;
};
struct FilterBlock : Node {
  std::vector<Filter> filters;
  Nodes body;
};
struct With : Node {
  std::vector<std::pair<NodePtr, NodePtr>> values;  ///< target and value
  Nodes body;
};
struct Generation : Node {  ///< transformers' mark of what the assistant says
  Nodes body;
};

}  // namespace hone::tokenizer::jinja::ast
