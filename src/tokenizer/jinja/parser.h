#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/lexer.h"

namespace hone::tokenizer::jinja {

/// Tokens to a tree, by Jinja's grammar: its precedences, its tuples, its refusals. Extensions are
/// those that transformers turns on: loop controls and {% generation %}.
class Parser {
 public:
  /// @param position follows the token that is looked at, for messages
  Parser(const std::vector<Token>& tokens, std::size_t& position)
      : tokens_(tokens), position_(position) {}

  /// @throws TemplateFault TemplateSyntaxError; UnsupportedError for what needs other templates
  ast::Nodes parse();

 private:
  // statement_parser.cpp
  ast::Nodes parse_body(std::initializer_list<std::string_view> ends);
  ast::NodePtr parse_statement();
  ast::NodePtr parse_if();
  ast::NodePtr parse_for();
  ast::NodePtr parse_set();
  ast::NodePtr parse_macro();
  ast::NodePtr parse_call_block();
  ast::NodePtr parse_filter_block();
  ast::NodePtr parse_with();
  ast::NodePtr parse_generation();
  std::vector<ast::Parameter> parse_parameters();
  ast::NodePtr parse_target(bool may_be_attribute);

  // expression_parser.cpp
  ast::NodePtr parse_expression(bool may_be_conditional = true);
  ast::NodePtr parse_tuple(bool may_be_conditional = true, bool may_be_empty = false);
  ast::NodePtr parse_or();
  ast::NodePtr parse_and();
  ast::NodePtr parse_not();
  ast::NodePtr parse_comparison();
  ast::NodePtr parse_binary(std::size_t level);
  ast::NodePtr parse_unary(bool takes_filters = true);
  ast::NodePtr parse_primary();
  ast::NodePtr parse_number();
  ast::NodePtr parse_brackets();
  ast::NodePtr parse_dict();
  ast::NodePtr parse_postfix(ast::NodePtr node);
  ast::NodePtr parse_subscript(ast::NodePtr object);
  ast::NodePtr parse_key();
  ast::NodePtr parse_filters_and_tests(ast::NodePtr node);
  ast::NodePtr parse_test(ast::NodePtr operand);
  ast::Filter parse_filter();
  std::vector<ast::Argument> parse_arguments();

  // The tokens.
  const Token& peek(std::size_t ahead = 0) const;
  const Token& next();
  bool is(std::string_view op) const;
  bool is_name(std::string_view name, std::size_t ahead = 0) const;
  bool take(std::string_view op);
  bool take_name(std::string_view name);
  void expect(std::string_view op);
  std::string expect_name(const char* what);
  void expect_end_of_tag();
  [[noreturn]] void fail(const std::string& message);

  template <class T>
  std::unique_ptr<T> make(std::size_t pos) const {
    auto node = std::make_unique<T>();
    node->pos = pos;
    return node;
  }

  /// Counts the depth of recursion while it lives: templates come from anywhere.
  class Depth {
   public:
    explicit Depth(Parser& parser);
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;

   private:
    Parser& parser_;
  };

  const std::vector<Token>& tokens_;
  std::size_t& position_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace hone::tokenizer::jinja
