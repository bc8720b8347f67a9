#include <fmt/format.h>

#include <array>

#include "tokenizer/jinja/parser.h"

namespace hone::tokenizer::jinja {
namespace {

/// Binary operators by how tightly they bind, from the loosest.
const std::array<std::vector<std::string_view>, 4> kLevels = {{
    {"+", "-"},
    {"~"},
    {"*", "/", "//", "%"},
    {"**"},
}};

}  // namespace

ast::NodePtr Parser::parse_expression(bool may_be_conditional) {
  const Depth depth(*this);
  ast::NodePtr node = parse_or();
  while (may_be_conditional && is_name("if")) {
    auto conditional = make<ast::Conditional>(next().pos);
    conditional->condition = parse_or();
    conditional->if_true = std::move(node);
    if (take_name("else")) conditional->if_false = parse_expression();
    node = std::move(conditional);
  }
  return node;
}

/// One expression, or several with commas between them.
ast::NodePtr Parser::parse_tuple(bool may_be_conditional, bool may_be_empty) {
  const std::size_t pos = peek().pos;
  ast::Nodes items;
  bool is_tuple = false;
  const auto is_end = [&] {
    return peek().type == Token::kPrintEnd || peek().type == Token::kTagEnd || is(")");
  };
  while (!is_end()) {
    items.push_back(parse_expression(may_be_conditional));
    if (!take(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items.front());
  if (!is_tuple && !may_be_empty)
    fail(fmt::format("Expected an expression, got '{}'", peek().value));
  auto tuple = make<ast::TupleLiteral>(pos);
  tuple->items = std::move(items);
  return tuple;
}

ast::NodePtr Parser::parse_or() {
  ast::NodePtr left = parse_and();
  while (is_name("or")) {
    auto node = make<ast::Binary>(next().pos);
    node->op = "or";
    node->left = std::move(left);
    node->right = parse_and();
    left = std::move(node);
  }
  return left;
}

ast::NodePtr Parser::parse_and() {
  ast::NodePtr left = parse_not();
  while (is_name("and")) {
    auto node = make<ast::Binary>(next().pos);
    node->op = "and";
    node->left = std::move(left);
    node->right = parse_not();
    left = std::move(node);
  }
  return left;
}

ast::NodePtr Parser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const Depth depth(*this);
  auto node = make<ast::Unary>(next().pos);
  node->op = "not";
  node->operand = parse_not();
  return node;
}

ast::NodePtr Parser::parse_comparison() {
  const std::size_t pos = peek().pos;
  ast::NodePtr first = parse_binary(0);
  auto node = make<ast::Comparison>(pos);
  while (true) {
    std::string op;
    if (is("==") || is("!=") || is("<") || is("<=") || is(">") || is(">=") || is_name("in")) {
      op = next().value;
    } else if (is_name("not") && is_name("in", 1)) {
      next();
      next();
      op = "not in";
    } else {
      break;
    }
    node->rest.emplace_back(std::move(op), parse_binary(0));
  }
  if (node->rest.empty()) return first;
  node->first = std::move(first);
  return node;
}

ast::NodePtr Parser::parse_binary(std::size_t level) {
  if (level == kLevels.size()) return parse_unary();
  ast::NodePtr left = parse_binary(level + 1);
  const auto is_here = [&] {
    for (const std::string_view op : kLevels[level])
      if (is(op)) return true;
    return false;
  };
  while (is_here()) {
    auto node = make<ast::Binary>(peek().pos);
    node->op = next().value;
    node->left = std::move(left);
    node->right = parse_binary(level + 1);
    left = std::move(node);
  }
  return left;
}

ast::NodePtr Parser::parse_unary(bool takes_filters) {
  ast::NodePtr node;
  if (is("-") || is("+")) {
    const Depth depth(*this);
    auto unary = make<ast::Unary>(peek().pos);
    unary->op = next().value;
    unary->operand = parse_unary(false);
    node = std::move(unary);
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return takes_filters ? parse_filters_and_tests(std::move(node)) : std::move(node);
}

ast::NodePtr Parser::parse_primary() {
  const Token& token = peek();
  if (token.type == Token::kName) {
    auto node = make<ast::Name>(token.pos);
    node->name = next().value;
    return node;
  }
  if (token.type == Token::kString) {
    auto node = make<ast::StringLiteral>(token.pos);
    while (peek().type == Token::kString) node->value += next().value;
    return node;
  }
  if (token.type == Token::kInteger || token.type == Token::kFloat) return parse_number();
  if (is("(")) return parse_brackets();
  if (is("[")) {
    auto node = make<ast::ListLiteral>(next().pos);
    while (!is("]")) {
      if (!node->items.empty()) expect(",");
      if (is("]")) break;
      node->items.push_back(parse_expression());
    }
    next();
    return node;
  }
  if (is("{")) return parse_dict();
  fail(fmt::format("unexpected '{}'", token.value));
}

ast::NodePtr Parser::parse_number() {
  const Token& token = next();
  if (token.type == Token::kFloat) {
    auto node = make<ast::FloatLiteral>(token.pos);
    node->value = token.real;
    return node;
  }
  auto node = make<ast::IntegerLiteral>(token.pos);
  node->value = token.integer;
  return node;
}

ast::NodePtr Parser::parse_brackets() {
  next();
  ast::NodePtr node = parse_tuple(true, true);
  expect(")");
  return node;
}

ast::NodePtr Parser::parse_dict() {
  auto node = make<ast::DictLiteral>(next().pos);
  while (!is("}")) {
    if (!node->items.empty()) expect(",");
    if (is("}")) break;
    ast::NodePtr key = parse_expression();
    expect(":");
    node->items.emplace_back(std::move(key), parse_expression());
  }
  next();
  return node;
}

ast::NodePtr Parser::parse_postfix(ast::NodePtr node) {
  while (true) {
    if (is(".") || is("[")) {
      node = parse_subscript(std::move(node));
    } else if (is("(")) {
      auto call = make<ast::Call>(peek().pos);
      call->callee = std::move(node);
      call->arguments = parse_arguments();
      node = std::move(call);
    } else {
      return node;
    }
  }
}

ast::NodePtr Parser::parse_subscript(ast::NodePtr object) {
  const std::size_t pos = peek().pos;
  if (take(".") && peek().type != Token::kInteger) {
    auto node = make<ast::Attribute>(pos);
    node->object = std::move(object);
    node->name = expect_name("a name or number");
    return node;
  }
  auto node = make<ast::Item>(pos);
  node->object = std::move(object);
  if (peek().type == Token::kInteger) {
    node->key = parse_number();
    return node;
  }
  expect("[");
  ast::Nodes keys;
  while (!is("]")) {
    if (!keys.empty()) expect(",");
    keys.push_back(parse_key());
  }
  next();
  if (keys.size() == 1) {
    node->key = std::move(keys.front());
  } else {
    auto tuple = make<ast::TupleLiteral>(pos);
    tuple->items = std::move(keys);
    node->key = std::move(tuple);
  }
  return node;
}

/// What stands in [ ]: an expression or a slice.
ast::NodePtr Parser::parse_key() {
  const std::size_t pos = peek().pos;
  ast::NodePtr start;
  if (!is(":")) start = parse_expression();
  if (!take(":")) return start;
  auto slice = make<ast::Slice>(pos);
  slice->start = std::move(start);
  const auto is_end = [&] { return is("]") || is(",") || is(":"); };
  if (!is_end()) slice->stop = parse_expression();
  if (take(":") && !is_end()) slice->step = parse_expression();
  return slice;
}

ast::NodePtr Parser::parse_filters_and_tests(ast::NodePtr node) {
  while (true) {
    if (take("|")) {
      auto filter = std::make_unique<ast::Filter>(parse_filter());
      filter->operand = std::move(node);
      node = std::move(filter);
    } else if (is_name("is")) {
      node = parse_test(std::move(node));
    } else if (is("(")) {  // what a filter or test gives can be called
      node = parse_postfix(std::move(node));
    } else {
      return node;
    }
  }
}

ast::Filter Parser::parse_filter() {
  ast::Filter filter;
  filter.pos = peek().pos;
  filter.name = expect_name("the name of a filter");
  while (take(".")) filter.name += "." + expect_name("the name of a filter");
  if (is("(")) filter.arguments = parse_arguments();
  return filter;
}

ast::NodePtr Parser::parse_test(ast::NodePtr operand) {
  auto node = make<ast::Test>(next().pos);
  node->operand = std::move(operand);
  node->negated = take_name("not");
  node->name = expect_name("the name of a test");
  while (take(".")) node->name += "." + expect_name("the name of a test");
  if (is("(")) {
    node->arguments = parse_arguments();
    return node;
  }
  const Token::Type type = peek().type;
  const bool has_argument = type == Token::kName || type == Token::kString ||
                            type == Token::kInteger || type == Token::kFloat || is("[") || is("{");
  if (!has_argument || is_name("else") || is_name("or") || is_name("and")) return node;
  if (is_name("is")) fail("You cannot chain multiple tests with is");
  ast::Argument& argument = node->arguments.emplace_back();
  argument.value = parse_postfix(parse_primary());
  return node;
}

std::vector<ast::Argument> Parser::parse_arguments() {
  std::vector<ast::Argument> arguments;
  expect("(");
  while (!is(")")) {
    if (!arguments.empty()) expect(",");
    if (is(")")) break;
    ast::Argument argument;
    argument.pos = peek().pos;
    const bool is_named =
        peek().type == Token::kName && peek(1).type == Token::kOperator && peek(1).value == "=";
    if (take("*")) {
      argument.kind = ast::Argument::kList;
    } else if (take("**")) {
      argument.kind = ast::Argument::kDict;
    } else if (is_named) {
      argument.kind = ast::Argument::kNamed;
      argument.name = next().value;
      next();
    } else if (!arguments.empty() && arguments.back().kind != ast::Argument::kPositional) {
      fail("invalid syntax for function call expression");
    }
    argument.value = parse_expression();
    arguments.push_back(std::move(argument));
  }
  next();
  return arguments;
}

}  // namespace hone::tokenizer::jinja
