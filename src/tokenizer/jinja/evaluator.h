#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/main_loop.h"
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
  explicit Evaluator(const std::tm& now) : now_(now) {}

  void run(const ast::Nodes& body, const ScopePtr& scope, Program::Output& output);

  /// The same, and what `watch` wants on the way.
  void run_watched(const ast::Nodes& body, const MainLoop& loop, PrefixWatch& watch,
                   const ScopePtr& scope, Program::Output& output);

  /// The byte of the source that was evaluated last, for messages.
  std::size_t position() const { return position_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  struct Watched {
    const ast::Node* loop;
    std::span<const ast::NodePtr> rest;
    bool rest_reads_messages;
    PrefixWatch* watch;
  };

  // Statements append to `out`.
  Flow execute(const ast::Nodes& body, const ScopePtr& scope, Text& out);
  Flow execute(const ast::Node& node, const ScopePtr& scope, Text& out);
  Flow execute_if(const ast::If& node, const ScopePtr& scope, Text& out);
  Flow execute_for(const ast::For& node, const ScopePtr& scope, Text& out);
  Flow execute_with(const ast::With& node, const ScopePtr& scope, Text& out);
  Flow execute_generation(const ast::Generation& node, const ScopePtr& scope, Text& out);
  void execute_set(const ast::Set& node, const ScopePtr& scope);
  void execute_call(const ast::CallBlock& node, const ScopePtr& scope, Text& out);
  void find_prefix(const Value& item, bool is_done, const ScopePtr& scope, const Text& out);
  std::optional<Text> render_rest(const PrefixWatch::Wanted& wanted, const ScopePtr& scope);
  Text capture(const ast::Nodes& body, const ScopePtr& scope);
  Text capture(const ast::Nodes& body, const std::vector<ast::Filter>& filters,
               const ScopePtr& scope);
  List loop_items(const ast::For& node, const ScopePtr& scope);
  void assign(const ast::Node& target, const Value& value, const ScopePtr& scope);
  Value make_callable(const std::string& name, const std::vector<ast::Parameter>& parameters,
                      const ast::Nodes& body, const ScopePtr& scope);
  void bind(const std::vector<ast::Parameter>& parameters, const Arguments& arguments,
            const ScopePtr& scope);

  Value evaluate(const ast::Node& node, const ScopePtr& scope);
  Value evaluate_literal(const ast::Node& node, const ScopePtr& scope);
  Value evaluate_name(const std::string& name, const ScopePtr& scope);
  Value evaluate_item(const ast::Item& node, const ScopePtr& scope);
  Value evaluate_call(const ast::Call& node, const ScopePtr& scope);
  Value evaluate_binary(const ast::Binary& node, const ScopePtr& scope);
  Value evaluate_comparison(const ast::Comparison& node, const ScopePtr& scope);
  Value evaluate_unary(const ast::Unary& node, const ScopePtr& scope);
  Value evaluate_filter(const ast::Filter& node, const Value& operand, const ScopePtr& scope);
  Value evaluate_optional(const ast::NodePtr& node, const ScopePtr& scope);
  Arguments evaluate_arguments(const std::vector<ast::Argument>& nodes, const ScopePtr& scope);

  const std::tm now_;
  Program::Output* output_ = nullptr;
  std::optional<Watched> watched_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace hone::tokenizer::jinja
