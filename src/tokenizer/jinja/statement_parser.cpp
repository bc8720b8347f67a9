#include <fmt/format.h>

#include <algorithm>

#include "tokenizer/jinja/parser.h"
#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {
namespace {

// The largest templates in use nest to some 15 levels.
constexpr int kMaxDepth = 150;

bool needs_other_templates(std::string_view tag) {
  return tag == "include" || tag == "import" || tag == "from" || tag == "extends" || tag == "block";
}

}  // namespace

Parser::Depth::Depth(Parser& parser) : parser_(parser) {
  if (parser_.depth_ >= kMaxDepth)
    parser_.fail(fmt::format("nested more than {} levels deep", kMaxDepth));
  ++parser_.depth_;
}

const Token& Parser::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

const Token& Parser::next() {
  const Token& token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::is(std::string_view op) const {
  return peek().type == Token::kOperator && peek().value == op;
}

bool Parser::is_name(std::string_view name, std::size_t ahead) const {
  return peek(ahead).type == Token::kName && peek(ahead).value == name;
}

bool Parser::take(std::string_view op) {
  if (!is(op)) return false;
  next();
  return true;
}

bool Parser::take_name(std::string_view name) {
  if (!is_name(name)) return false;
  next();
  return true;
}

void Parser::expect(std::string_view op) {
  if (!take(op)) fail(fmt::format("expected '{}', got '{}'", op, peek().value));
}

std::string Parser::expect_name(const char* what) {
  if (peek().type != Token::kName) fail(fmt::format("expected {}, got '{}'", what, peek().value));
  return next().value;
}

void Parser::expect_end_of_tag() {
  if (peek().type != Token::kTagEnd)
    fail(fmt::format("expected the end of the tag, got '{}'", peek().value));
  next();
}

void Parser::fail(const std::string& message) {
  position_ = peek().pos;
  throw TemplateFault("TemplateSyntaxError", message);
}

ast::Nodes Parser::parse() {
  ast::Nodes body = parse_body({});
  return body;
}

/// Statements up to a tag with one of these names, whose name is then next; without names, up to
/// the end of the template.
ast::Nodes Parser::parse_body(std::initializer_list<std::string_view> ends) {
  const Depth depth(*this);
  ast::Nodes body;
  while (peek().type != Token::kEnd) {
    const Token& token = next();
    if (token.type == Token::kText) {
      auto text = make<ast::StringLiteral>(token.pos);
      text->value = token.value;
      body.push_back(std::move(text));
    } else if (token.type == Token::kPrintBegin) {
      body.push_back(parse_tuple());
      if (peek().type != Token::kPrintEnd)
        fail(fmt::format("expected the end of the print statement, got '{}'", peek().value));
      next();
    } else {
      for (const std::string_view end : ends)
        if (is_name(end)) return body;
      body.push_back(parse_statement());
    }
  }
  if (ends.size() > 0)
    fail(fmt::format("unexpected end of template; expected {{% {} %}}", *ends.begin()));
  return body;
}

ast::NodePtr Parser::parse_statement() {
  const std::size_t pos = peek().pos;
  const std::string tag = expect_name("the name of a tag");
  if (tag == "if") return parse_if();
  if (tag == "for") return parse_for();
  if (tag == "set") return parse_set();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call_block();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "generation") return parse_generation();
  if (tag == "break" || tag == "continue") {
    expect_end_of_tag();
    if (tag == "break") return make<ast::Break>(pos);
    return make<ast::Continue>(pos);
  }
  position_ = pos;
  if (needs_other_templates(tag))
    throw TemplateFault("UnsupportedError",
                        fmt::format("{{% {} %}} takes in another template, and a chat template "
                                    "stands alone; write its text here",
                                    tag));
  throw TemplateFault("TemplateSyntaxError", fmt::format("Encountered unknown tag '{}'.", tag));
}

ast::NodePtr Parser::parse_if() {
  auto node = make<ast::If>(peek().pos);
  do {
    ast::NodePtr condition = parse_tuple(false);
    expect_end_of_tag();
    node->branches.emplace_back(std::move(condition), parse_body({"endif", "elif", "else"}));
  } while (take_name("elif"));
  if (take_name("else")) {
    expect_end_of_tag();
    node->otherwise = parse_body({"endif"});
  }
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_for() {
  auto node = make<ast::For>(peek().pos);
  node->target = parse_target(false);
  if (!take_name("in")) fail(fmt::format("expected 'in', got '{}'", peek().value));
  node->iterable = parse_tuple(false);
  if (take_name("if")) node->condition = parse_expression();
  if (is_name("recursive"))
    fail("recursive loops are not supported; write a macro that calls itself");
  expect_end_of_tag();
  node->body = parse_body({"endfor", "else"});
  if (take_name("else")) {
    expect_end_of_tag();
    node->otherwise = parse_body({"endfor"});
  }
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_set() {
  auto node = make<ast::Set>(peek().pos);
  node->target = parse_target(true);
  if (take("=")) {
    node->value = parse_tuple();
    expect_end_of_tag();
    return node;
  }
  while (take("|")) node->filters.push_back(parse_filter());
  expect_end_of_tag();
  node->body = parse_body({"endset"});
  next();
  expect_end_of_tag();
  return node;
}

std::vector<ast::Parameter> Parser::parse_parameters() {
  std::vector<ast::Parameter> parameters;
  expect("(");
  while (!is(")")) {
    if (!parameters.empty()) expect(",");
    ast::Parameter parameter{expect_name("a parameter's name"), nullptr};
    if (take("=")) {
      parameter.default_value = parse_expression();
    } else if (!parameters.empty() && parameters.back().default_value) {
      fail("non-default argument follows default argument");
    }
    parameters.push_back(std::move(parameter));
  }
  next();
  return parameters;
}

ast::NodePtr Parser::parse_macro() {
  auto node = make<ast::Macro>(peek().pos);
  node->name = expect_name("a macro's name");
  node->parameters = parse_parameters();
  expect_end_of_tag();
  node->body = parse_body({"endmacro"});
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_call_block() {
  auto node = make<ast::CallBlock>(peek().pos);
  if (is("(")) node->parameters = parse_parameters();
  ast::NodePtr call = parse_expression();
  if (ast::as<ast::Call>(*call) == nullptr) fail("expected call");
  node->call.reset(static_cast<ast::Call*>(call.release()));
  expect_end_of_tag();
  node->body = parse_body({"endcall"});
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_filter_block() {
  auto node = make<ast::FilterBlock>(peek().pos);
  do node->filters.push_back(parse_filter());
  while (take("|"));
  expect_end_of_tag();
  node->body = parse_body({"endfilter"});
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_with() {
  auto node = make<ast::With>(peek().pos);
  while (peek().type != Token::kTagEnd) {
    if (!node->values.empty()) expect(",");
    ast::NodePtr target = parse_target(false);
    expect("=");
    node->values.emplace_back(std::move(target), parse_expression());
  }
  next();
  node->body = parse_body({"endwith"});
  next();
  expect_end_of_tag();
  return node;
}

ast::NodePtr Parser::parse_generation() {
  auto node = make<ast::Generation>(peek().pos);
  expect_end_of_tag();
  node->body = parse_body({"endgeneration"});
  next();
  expect_end_of_tag();
  return node;
}

/// What a value is given to: a name, a namespace's attribute, or a tuple of these.
ast::NodePtr Parser::parse_target(bool may_be_attribute) {
  const std::size_t pos = peek().pos;
  const bool in_brackets = take("(");
  ast::Nodes targets;
  bool is_tuple = false;
  do {
    if (!targets.empty() && (is(")") || is("=") || is_name("in"))) break;
    auto name = make<ast::Name>(peek().pos);
    name->name = expect_name("a name to assign to");
    if (may_be_attribute && take(".")) {
      auto attribute = make<ast::Attribute>(name->pos);
      attribute->object = std::move(name);
      attribute->name = expect_name("an attribute's name");
      targets.push_back(std::move(attribute));
    } else {
      targets.push_back(std::move(name));
    }
    is_tuple = is_tuple || is(",");
  } while (take(","));
  if (in_brackets) expect(")");
  if (!is_tuple) return std::move(targets.front());
  auto tuple = make<ast::TupleLiteral>(pos);
  tuple->items = std::move(targets);
  return tuple;
}

}  // namespace hone::tokenizer::jinja
