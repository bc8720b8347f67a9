#include <fmt/format.h>

#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

ScopePtr inner_scope(const ScopePtr& parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

}  // namespace

void Evaluator::run(const ast::statements& body, const ScopePtr& scope, Program::Output& output) {
  output_ = &output;
  execute(body, scope, output.text);
}

Evaluator::Flow Evaluator::execute(const ast::statements& body, const ScopePtr& scope, Text& out) {
  for (const ast::statement_ptr& node : body) {
    const Flow flow = execute(*node, scope, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute(const ast::statement& node, const ScopePtr& scope, Text& out) {
  position_ = node.pos;
  if (const auto* n = node_as<ast::if_statement>(node)) return execute_if(*n, scope, out);
  if (const auto* n = node_as<ast::for_statement>(node)) return execute_for(*n, scope, out);
  if (node_as<ast::break_statement>(node)) return Flow::kBreak;
  if (node_as<ast::continue_statement>(node)) return Flow::kContinue;
  if (node_as<ast::comment_statement>(node)) return Flow::kNext;
  if (node_as<ast::noop_statement>(node)) {
    mark_generation(out);
  } else if (const auto* set = node_as<ast::set_statement>(node)) {
    execute_set(*set, scope);
  } else if (const auto* macro = node_as<ast::macro_statement>(node)) {
    execute_macro(*macro, scope);
  } else if (const auto* call = node_as<ast::call_statement>(node)) {
    execute_call(*call, scope, out);
  } else if (const auto* filter = node_as<ast::filter_statement>(node)) {
    out.append(to_text(evaluate_filter(*filter->filter, capture(filter->body, scope), scope)));
  } else {
    out.append(to_text(evaluate(node, scope)));
  }
  return Flow::kNext;
}

Text Evaluator::capture(const ast::statements& body, const ScopePtr& scope) {
  Text out;
  execute(body, scope, out);
  return out;
}

// The tree keeps no more of {% generation %} and {% endgeneration %} than their places.
void Evaluator::mark_generation(const Text& out) {
  if (&out != &output_->text) return;  // captured by a macro or a set: it has no place yet
  if (source_.compare(position_, 3, "end") != 0) {
    output_->generated.push_back({out.size(), out.size()});
  } else if (!output_->generated.empty()) {
    output_->generated.back().end = out.size();
  }
}

Evaluator::Flow Evaluator::execute_if(const ast::if_statement& node, const ScopePtr& scope,
                                      Text& out) {
  return execute(truth(evaluate(*node.test, scope)) ? node.body : node.alternate, scope, out);
}

// The items of `for x in items if condition`; the condition sees x.
List Evaluator::loop_items(const ast::for_statement& node, const ScopePtr& scope) {
  const auto* filtered = node_as<ast::select_expression>(*node.iterable);
  if (!filtered) return iterate(evaluate(*node.iterable, scope));
  List kept;
  for (const Value& item : iterate(evaluate(*filtered->lhs, scope))) {
    const ScopePtr inner = inner_scope(scope);
    assign(*node.loopvar, item, inner);
    if (truth(evaluate(*filtered->test, inner))) kept.push_back(item);
  }
  return kept;
}

Evaluator::Flow Evaluator::execute_for(const ast::for_statement& node, const ScopePtr& scope,
                                       Text& out) {
  const auto items = std::make_shared<const List>(loop_items(node, scope));
  if (items->empty()) return execute(node.default_block, scope, out);
  const auto loop = std::make_shared<Loop>(Loop{.items = items});
  const bool is_watched = watched_ && watched_->loop == &node;
  for (std::size_t i = 0; i < items->size(); ++i) {
    loop->index0 = i;
    const ScopePtr inner = inner_scope(scope);
    inner->variables["loop"] = Value(loop);
    assign(*node.loopvar, (*items)[i], inner);
    if (is_watched) find_prefix((*items)[i], false, scope, out);
    if (execute(node.body, inner, out) == Flow::kBreak) break;
    if (is_watched) find_prefix((*items)[i], true, scope, out);
  }
  return Flow::kNext;
}

void Evaluator::assign(const ast::statement& target, const Value& value, const ScopePtr& scope) {
  if (const auto* name = node_as<ast::identifier>(target)) {
    scope->variables[name->val] = value;
  } else if (const auto* tuple = node_as<ast::tuple_literal>(target)) {
    const List items = iterate(value);
    if (items.size() != tuple->val.size()) {
      throw TemplateFault("ValueError", fmt::format("expected {} values to unpack, got {}",
                                                    tuple->val.size(), items.size()));
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(*tuple->val[i], items[i], scope);
  } else if (const auto* member = node_as<ast::member_expression>(target)) {
    const Value object = evaluate(*member->object, scope);
    const auto* space = object.as<std::shared_ptr<Namespace>>();
    const auto* attribute = node_as<ast::identifier>(*member->property);
    if (!space || !attribute || member->computed) {
      throw TemplateFault("TemplateRuntimeError",
                          "cannot assign attribute on non-namespace object");
    }
    (*space)->attributes[attribute->val] = value;
  } else {
    throw TemplateFault("TemplateSyntaxError", "cannot assign to this");
  }
}

void Evaluator::execute_set(const ast::set_statement& node, const ScopePtr& scope) {
  const Value value = node.val ? evaluate(*node.val, scope) : Value(capture(node.body, scope));
  assign(*node.assignee, value, scope);
}

void Evaluator::bind(const ast::statements& parameters, const Arguments& arguments,
                     const ScopePtr& scope) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto* with_default = node_as<ast::keyword_argument_expression>(*parameters[i]);
    const ast::statement& parameter = with_default ? *with_default->key : *parameters[i];
    const auto* name = node_as<ast::identifier>(parameter);
    if (!name) throw TemplateFault("TemplateSyntaxError", "a macro's parameter must be a name");
    Value value = arguments.get(i, name->val);
    if (with_default && !arguments.has(i, name->val)) value = evaluate(*with_default->val, scope);
    scope->variables[name->val] = std::move(value);
  }
}

// A macro holds its scope weakly: the scope holds the macro.
Value Evaluator::make_callable(const std::string& name, const ast::statements& parameters,
                               const ast::statements& body, const ScopePtr& scope) {
  return Value::function(
      name,
      [this, name, &parameters, &body,
       weak = std::weak_ptr<Scope>(scope)](const Arguments& arguments) -> Value {
        const ScopePtr defined_in = weak.lock();
        if (!defined_in)
          throw TemplateFault("UndefinedError", fmt::format("'{}' left its scope", name));
        if (arguments.positional.size() > parameters.size()) {
          throw TemplateFault("TypeError",
                              fmt::format("macro '{}' takes not more than {} argument(s)", name,
                                          parameters.size()));
        }
        const ScopePtr inner = inner_scope(defined_in);
        bind(parameters, arguments, inner);
        if (arguments.has(parameters.size(), "caller")) {
          inner->variables["caller"] = arguments.get(parameters.size(), "caller");
        }
        return capture(body, inner);
      });
}

void Evaluator::execute_macro(const ast::macro_statement& node, const ScopePtr& scope) {
  const auto* name = node_as<ast::identifier>(*node.name);
  if (!name) throw TemplateFault("TemplateSyntaxError", "a macro's name must be a name");
  scope->variables[name->val] = make_callable(name->val, node.args, node.body, scope);
}

void Evaluator::execute_call(const ast::call_statement& node, const ScopePtr& scope, Text& out) {
  const auto* call = node_as<ast::call_expression>(*node.call);
  if (!call) throw TemplateFault("TemplateSyntaxError", "a call block must call something");
  const Value callee = evaluate(*call->callee, scope);
  require_defined(callee);
  const auto* function = callee.as<std::shared_ptr<const Function>>();
  if (!function) throw TemplateFault("TypeError", "a call block must call a macro");
  Arguments arguments = evaluate_arguments(call->args, scope);
  arguments.named.emplace_back("caller",
                               make_callable("caller", node.caller_args, node.body, scope));
  out.append(to_text((*function)->call(arguments)));
}

}  // namespace hone::tokenizer::jinja
