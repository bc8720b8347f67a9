#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/main_loop.h"
#include "tokenizer/jinja/syntax.h"
#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {

/// Variables, and those around them. Shared, since a macro keeps the scope it was defined in.
struct Scope {
  std::map<std::string, Value> variables;
  std::shared_ptr<Scope> parent;

  const Value* find(const std::string& name) const;
};
using ScopePtr = std::shared_ptr<Scope>;

/// Runs one rendering of a syntax tree. Scoping follows Jinja: a for body and a macro have scopes
/// of their own, an if has none.
class Evaluator {
 public:
  Evaluator(const std::string& source, const std::tm& now) : source_(source), now_(now) {}

  void run(const ast::statements& body, const ScopePtr& scope, Program::Output& output);

  /// The same, and what `watch` wants on the way.
  void run_watched(const ast::statements& body, const MainLoop& loop, PrefixWatch& watch,
                   const ScopePtr& scope, Program::Output& output);

  /// The byte of the source that was evaluated last, for messages.
  std::size_t position() const { return position_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  struct Watched {
    const ast::statement* loop;
    std::span<const ast::statement_ptr> rest;
    bool rest_reads_messages;
    PrefixWatch* watch;
  };

  // Statements append to `out`.
  Flow execute(const ast::statements& body, const ScopePtr& scope, Text& out);
  Flow execute(const ast::statement& node, const ScopePtr& scope, Text& out);
  Flow execute_if(const ast::if_statement& node, const ScopePtr& scope, Text& out);
  Flow execute_for(const ast::for_statement& node, const ScopePtr& scope, Text& out);
  void execute_set(const ast::set_statement& node, const ScopePtr& scope);
  void execute_macro(const ast::macro_statement& node, const ScopePtr& scope);
  void execute_call(const ast::call_statement& node, const ScopePtr& scope, Text& out);
  void mark_generation(const Text& out);
  void find_prefix(const Value& item, bool is_done, const ScopePtr& scope, const Text& out);
  std::optional<Text> render_rest(const PrefixWatch::Wanted& wanted, const ScopePtr& scope);
  Text capture(const ast::statements& body, const ScopePtr& scope);
  List loop_items(const ast::for_statement& node, const ScopePtr& scope);
  void assign(const ast::statement& target, const Value& value, const ScopePtr& scope);
  Value make_callable(const std::string& name, const ast::statements& parameters,
                      const ast::statements& body, const ScopePtr& scope);
  void bind(const ast::statements& parameters, const Arguments& arguments, const ScopePtr& scope);

  Value evaluate(const ast::statement& node, const ScopePtr& scope);
  Value evaluate_identifier(const ast::identifier& node, const ScopePtr& scope);
  Value evaluate_member(const ast::member_expression& node, const ScopePtr& scope);
  Value evaluate_call(const ast::call_expression& node, const ScopePtr& scope);
  Value evaluate_binary(const ast::binary_expression& node, const ScopePtr& scope);
  Value evaluate_unary(const ast::unary_expression& node, const ScopePtr& scope);
  Value evaluate_filter(const ast::statement& filter, const Value& operand, const ScopePtr& scope);
  Value evaluate_test(const ast::test_expression& node, const ScopePtr& scope);
  Value evaluate_literal(const ast::statement& node, const ScopePtr& scope);
  Value evaluate_optional(const ast::statement_ptr& node, const ScopePtr& scope);
  Arguments evaluate_arguments(const ast::statements& nodes, const ScopePtr& scope);

  const std::string& source_;
  const std::tm now_;
  Program::Output* output_ = nullptr;
  std::optional<Watched> watched_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace hone::tokenizer::jinja
