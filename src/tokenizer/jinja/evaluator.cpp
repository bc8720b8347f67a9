#include "tokenizer/jinja/evaluator.h"

#include <fmt/format.h>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

// A template that calls itself without end is stopped here, far from the end of the stack.
constexpr int kMaxDepth = 400;

const std::string& identifier_name(const ast::statement& node, const char* use) {
  if (const auto* name = node_as<ast::identifier>(node)) return name->val;
  throw TemplateFault("TemplateSyntaxError", fmt::format("{} must be a name", use));
}

// Counts the depth of recursion while it lives.
class DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(depth) {
    if (++depth_ <= kMaxDepth) return;
    --depth_;
    throw TemplateFault("RecursionError", "maximum recursion depth exceeded");
  }
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;

 private:
  int& depth_;
};

}  // namespace

const Value* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
    const auto it = scope->variables.find(name);
    if (it != scope->variables.end()) return &it->second;
  }
  return nullptr;
}

Value Evaluator::evaluate(const ast::statement& node, const ScopePtr& scope) {
  const DepthGuard guard(depth_);
  position_ = node.pos;
  if (const auto* n = node_as<ast::identifier>(node)) return evaluate_identifier(*n, scope);
  if (const auto* n = node_as<ast::string_literal>(node)) return Text(n->val);
  if (const auto* n = node_as<ast::member_expression>(node)) return evaluate_member(*n, scope);
  if (const auto* n = node_as<ast::binary_expression>(node)) return evaluate_binary(*n, scope);
  if (const auto* n = node_as<ast::call_expression>(node)) return evaluate_call(*n, scope);
  if (const auto* n = node_as<ast::filter_expression>(node)) {
    return evaluate_filter(*n->filter, evaluate(*n->operand, scope), scope);
  }
  if (const auto* n = node_as<ast::test_expression>(node)) return evaluate_test(*n, scope);
  if (const auto* n = node_as<ast::unary_expression>(node)) return evaluate_unary(*n, scope);
  if (const auto* n = node_as<ast::ternary_expression>(node)) {
    return evaluate(truth(evaluate(*n->condition, scope)) ? *n->true_expr : *n->false_expr, scope);
  }
  if (const auto* n = node_as<ast::select_expression>(node)) {
    if (truth(evaluate(*n->test, scope))) return evaluate(*n->lhs, scope);
    return Value::undefined("the inline if-expression evaluated to false and no else was given");
  }
  return evaluate_literal(node, scope);
}

Value Evaluator::evaluate_literal(const ast::statement& node, const ScopePtr& scope) {
  if (const auto* n = node_as<ast::integer_literal>(node)) return std::int64_t{n->val};
  if (const auto* n = node_as<ast::float_literal>(node)) return n->val;
  if (const auto* n = node_as<ast::array_literal>(node)) {
    return Value::list(evaluate_arguments(n->val, scope).positional);
  }
  if (const auto* n = node_as<ast::tuple_literal>(node)) {
    return Value::tuple(evaluate_arguments(n->val, scope).positional);
  }
  if (const auto* n = node_as<ast::object_literal>(node)) {
    Dict items;
    for (const auto& [key, value] : n->val) {
      const Value name = evaluate(*key, scope);
      items.emplace_back(name, evaluate(*value, scope));
    }
    return Value::dict(std::move(items));
  }
  throw TemplateFault("TemplateSyntaxError", fmt::format("unexpected {}", node.type()));
}

Value Evaluator::evaluate_identifier(const ast::identifier& node, const ScopePtr& scope) {
  const std::string& name = node.val;
  if (name == "true" || name == "True") return true;
  if (name == "false" || name == "False") return false;
  if (name == "none" || name == "None") return Value::none();
  if (const Value* value = scope->find(name)) return *value;
  if (const Value* value = find_global(name)) return *value;
  if (name == "strftime_now") {
    return Value::function(name, [this](const Arguments& arguments) {
      const std::string format(require_text(arguments.get(0, "format"), "strftime_now").str());
      char buffer[512];
      const std::size_t size = std::strftime(buffer, sizeof buffer, format.c_str(), &now_);
      return Value(Text(std::string_view(buffer, size)));
    });
  }
  return Value::undefined(fmt::format("'{}' is undefined", name));
}

Value Evaluator::evaluate_optional(const ast::statement_ptr& node, const ScopePtr& scope) {
  return node ? evaluate(*node, scope) : Value();
}

Value Evaluator::evaluate_member(const ast::member_expression& node, const ScopePtr& scope) {
  const Value object = evaluate(*node.object, scope);
  if (const auto* slice = node_as<ast::slice_expression>(*node.property)) {
    const Value start = evaluate_optional(slice->start_expr, scope);
    const Value stop = evaluate_optional(slice->stop_expr, scope);
    const Value step = evaluate_optional(slice->step_expr, scope);
    position_ = node.pos;
    return get_slice(object, start, stop, step);
  }
  if (!node.computed) {
    position_ = node.pos;
    if (const auto* name = node_as<ast::identifier>(*node.property)) {
      return get_attribute(object, name->val);
    }
  }
  const Value key = evaluate(*node.property, scope);
  position_ = node.pos;
  return get_item(object, key);
}

Arguments Evaluator::evaluate_arguments(const ast::statements& nodes, const ScopePtr& scope) {
  Arguments arguments;
  for (const ast::statement_ptr& node : nodes) {
    if (const auto* named = node_as<ast::keyword_argument_expression>(*node)) {
      arguments.named.emplace_back(identifier_name(*named->key, "an argument's name"),
                                   evaluate(*named->val, scope));
    } else if (const auto* spread = node_as<ast::spread_expression>(*node)) {
      for (Value& item : iterate(evaluate(*spread->argument, scope))) {
        arguments.positional.push_back(std::move(item));
      }
    } else {
      arguments.positional.push_back(evaluate(*node, scope));
    }
  }
  return arguments;
}

Value Evaluator::evaluate_call(const ast::call_expression& node, const ScopePtr& scope) {
  const Value callee = evaluate(*node.callee, scope);
  const Arguments arguments = evaluate_arguments(node.args, scope);
  position_ = node.pos;
  require_defined(callee);
  const auto* function = callee.as<std::shared_ptr<const Function>>();
  if (!function) {
    throw TemplateFault("TypeError",
                        fmt::format("'{}' object is not callable", callee.type_name()));
  }
  return (*function)->call(arguments);
}

Value Evaluator::evaluate_binary(const ast::binary_expression& node, const ScopePtr& scope) {
  const std::string& op = node.op.value;
  Value left = evaluate(*node.left, scope);
  if (op == "and") return truth(left) ? evaluate(*node.right, scope) : left;
  if (op == "or") return truth(left) ? left : evaluate(*node.right, scope);
  const Value right = evaluate(*node.right, scope);
  position_ = node.pos;
  return apply_operator(op, left, right);
}

Value Evaluator::evaluate_unary(const ast::unary_expression& node, const ScopePtr& scope) {
  const Value value = evaluate(*node.argument, scope);
  if (node.op.value == "not") return !truth(value);
  if (node.op.value == "-") return apply_operator("-", std::int64_t{0}, value);
  return apply_operator("+", std::int64_t{0}, value);
}

Value Evaluator::evaluate_filter(const ast::statement& filter, const Value& operand,
                                 const ScopePtr& scope) {
  const auto* call = node_as<ast::call_expression>(filter);
  const std::string& name = identifier_name(call ? *call->callee : filter, "a filter");
  const Arguments arguments = call ? evaluate_arguments(call->args, scope) : Arguments();
  position_ = filter.pos;
  return apply_filter(name, operand, arguments);
}

Value Evaluator::evaluate_test(const ast::test_expression& node, const ScopePtr& scope) {
  const Value operand = evaluate(*node.operand, scope);
  const auto* call = node_as<ast::call_expression>(*node.test);
  const std::string& name = identifier_name(call ? *call->callee : *node.test, "a test");
  const Arguments arguments = call ? evaluate_arguments(call->args, scope) : Arguments();
  position_ = node.pos;
  return apply_test(name, operand, arguments) != node.negate;
}

}  // namespace hone::tokenizer::jinja
