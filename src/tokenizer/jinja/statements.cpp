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

void Evaluator::run(const ast::Nodes& body, const ScopePtr& scope, Program::Output& output) {
  output_ = &output;
  execute(body, scope, output.text);
}

Evaluator::Flow Evaluator::execute(const ast::Nodes& body, const ScopePtr& scope, Text& out) {
  for (const ast::NodePtr& node : body) {
    const Flow flow = execute(*node, scope, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute(const ast::Node& node, const ScopePtr& scope, Text& out) {
  position_ = node.pos;
  if (const auto* n = ast::as<ast::If>(node)) return execute_if(*n, scope, out);
  if (const auto* n = ast::as<ast::For>(node)) return execute_for(*n, scope, out);
  if (const auto* n = ast::as<ast::With>(node)) return execute_with(*n, scope, out);
  if (const auto* n = ast::as<ast::Generation>(node)) return execute_generation(*n, scope, out);
  if (ast::as<ast::Break>(node)) return Flow::kBreak;
  if (ast::as<ast::Continue>(node)) return Flow::kContinue;
  if (const auto* set = ast::as<ast::Set>(node)) {
    execute_set(*set, scope);
  } else if (const auto* macro = ast::as<ast::Macro>(node)) {
    scope->variables[macro->name] =
        make_callable(macro->name, macro->parameters, macro->body, scope);
  } else if (const auto* call = ast::as<ast::CallBlock>(node)) {
    execute_call(*call, scope, out);
  } else if (const auto* filter = ast::as<ast::FilterBlock>(node)) {
    out.append(capture(filter->body, filter->filters, scope));
  } else {
    out.append(to_text(evaluate(node, scope)));
  }
  return Flow::kNext;
}

Text Evaluator::capture(const ast::Nodes& body, const ScopePtr& scope) {
  Text out;
  execute(body, scope, out);
  return out;
}

/// A block's text through the filters at its head.
Text Evaluator::capture(const ast::Nodes& body, const std::vector<ast::Filter>& filters,
                        const ScopePtr& scope) {
  Value value = capture(body, inner_scope(scope));
  for (const ast::Filter& filter : filters) value = evaluate_filter(filter, value, scope);
  return to_text(value);
}

Evaluator::Flow Evaluator::execute_if(const ast::If& node, const ScopePtr& scope, Text& out) {
  for (const auto& [condition, body] : node.branches)
    if (truth(evaluate(*condition, scope))) return execute(body, scope, out);
  return execute(node.otherwise, scope, out);
}

Evaluator::Flow Evaluator::execute_with(const ast::With& node, const ScopePtr& scope, Text& out) {
  const ScopePtr inner = inner_scope(scope);
  for (const auto& [target, value] : node.values) assign(*target, evaluate(*value, scope), inner);
  return execute(node.body, inner, out);
}

/// In a scope of its own, as transformers has it.
Evaluator::Flow Evaluator::execute_generation(const ast::Generation& node, const ScopePtr& scope,
                                              Text& out) {
  const std::size_t begin = out.size();
  const Flow flow = execute(node.body, inner_scope(scope), out);
  // What a macro or a set captures has no place in the output yet.
  if (&out == &output_->text) output_->generated.push_back({begin, out.size()});
  return flow;
}

/// The items of `for x in items if condition`; the condition sees x.
List Evaluator::loop_items(const ast::For& node, const ScopePtr& scope) {
  List items = iterate(evaluate(*node.iterable, scope));
  if (!node.condition) return items;
  List kept;
  for (const Value& item : items) {
    const ScopePtr inner = inner_scope(scope);
    assign(*node.target, item, inner);
    if (truth(evaluate(*node.condition, inner))) kept.push_back(item);
  }
  return kept;
}

Evaluator::Flow Evaluator::execute_for(const ast::For& node, const ScopePtr& scope, Text& out) {
  const auto items = std::make_shared<const List>(loop_items(node, scope));
  if (items->empty()) return execute(node.otherwise, scope, out);
  const auto loop = std::make_shared<Loop>(Loop{.items = items});
  const bool is_watched = watched_ && watched_->loop == &node;
  for (std::size_t i = 0; i < items->size(); ++i) {
    loop->index0 = i;
    const ScopePtr inner = inner_scope(scope);
    inner->variables["loop"] = Value(loop);
    assign(*node.target, (*items)[i], inner);
    if (is_watched) find_prefix((*items)[i], false, scope, out);
    if (execute(node.body, inner, out) == Flow::kBreak) break;
    if (is_watched) find_prefix((*items)[i], true, scope, out);
  }
  return Flow::kNext;
}

void Evaluator::assign(const ast::Node& target, const Value& value, const ScopePtr& scope) {
  if (const auto* name = ast::as<ast::Name>(target)) {
    scope->variables[name->name] = value;
  } else if (const auto* tuple = ast::as<ast::TupleLiteral>(target)) {
    const List items = iterate(value);
    if (items.size() != tuple->items.size()) {
      throw TemplateFault("ValueError", fmt::format("expected {} values to unpack, got {}",
                                                    tuple->items.size(), items.size()));
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(*tuple->items[i], items[i], scope);
  } else if (const auto* attribute = ast::as<ast::Attribute>(target)) {
    const Value object = evaluate(*attribute->object, scope);
    const auto* space = object.as<std::shared_ptr<Namespace>>();
    if (!space) {
      throw TemplateFault("TemplateRuntimeError",
                          "cannot assign attribute on non-namespace object");
    }
    (*space)->attributes[attribute->name] = value;
  }
}

void Evaluator::execute_set(const ast::Set& node, const ScopePtr& scope) {
  const Value value =
      node.value ? evaluate(*node.value, scope) : Value(capture(node.body, node.filters, scope));
  assign(*node.target, value, scope);
}

void Evaluator::bind(const std::vector<ast::Parameter>& parameters, const Arguments& arguments,
                     const ScopePtr& scope) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, default_value] = parameters[i];
    Value value = arguments.get(i, name);
    if (default_value && !arguments.has(i, name)) value = evaluate(*default_value, scope);
    scope->variables[name] = std::move(value);
  }
}

/// A macro holds its scope weakly: the scope holds the macro.
Value Evaluator::make_callable(const std::string& name,
                               const std::vector<ast::Parameter>& parameters,
                               const ast::Nodes& body, const ScopePtr& scope) {
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

void Evaluator::execute_call(const ast::CallBlock& node, const ScopePtr& scope, Text& out) {
  const Value callee = evaluate(*node.call->callee, scope);
  require_defined(callee);
  const auto* function = callee.as<std::shared_ptr<const Function>>();
  if (!function) throw TemplateFault("TypeError", "a call block must call a macro");
  Arguments arguments = evaluate_arguments(node.call->arguments, scope);
  arguments.named.emplace_back("caller",
                               make_callable("caller", node.parameters, node.body, scope));
  out.append(to_text((*function)->call(arguments)));
}

}  // namespace hone::tokenizer::jinja
