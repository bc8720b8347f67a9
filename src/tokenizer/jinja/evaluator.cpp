#include "tokenizer/jinja/evaluator.h"

#include <fmt/format.h>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

// A template that calls itself without end is stopped here, far from the end of the stack.
constexpr int kMaxDepth = 400;

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

Value Evaluator::evaluate(const ast::Node& node, const ScopePtr& scope) {
  const DepthGuard guard(depth_);
  position_ = node.pos;
  if (const auto* n = ast::as<ast::Name>(node)) return evaluate_name(n->name, scope);
  if (const auto* n = ast::as<ast::StringLiteral>(node)) return Text(n->value);
  if (const auto* n = ast::as<ast::Attribute>(node)) {
    const Value object = evaluate(*n->object, scope);
    position_ = n->pos;
    return get_attribute(object, n->name);
  }
  if (const auto* n = ast::as<ast::Item>(node)) return evaluate_item(*n, scope);
  if (const auto* n = ast::as<ast::Binary>(node)) return evaluate_binary(*n, scope);
  if (const auto* n = ast::as<ast::Comparison>(node)) return evaluate_comparison(*n, scope);
  if (const auto* n = ast::as<ast::Call>(node)) return evaluate_call(*n, scope);
  if (const auto* n = ast::as<ast::Filter>(node))
    return evaluate_filter(*n, evaluate(*n->operand, scope), scope);
  if (const auto* n = ast::as<ast::Test>(node)) {
    const Value operand = evaluate(*n->operand, scope);
    const Arguments arguments = evaluate_arguments(n->arguments, scope);
    position_ = n->pos;
    return apply_test(n->name, operand, arguments) != n->negated;
  }
  if (const auto* n = ast::as<ast::Unary>(node)) return evaluate_unary(*n, scope);
  if (const auto* n = ast::as<ast::Conditional>(node)) {
    if (truth(evaluate(*n->condition, scope))) return evaluate(*n->if_true, scope);
    if (n->if_false) return evaluate(*n->if_false, scope);
    return Value::undefined("the inline if-expression evaluated to false and no else was given");
  }
  return evaluate_literal(node, scope);
}

Value Evaluator::evaluate_literal(const ast::Node& node, const ScopePtr& scope) {
  const auto evaluate_all = [&](const ast::Nodes& nodes) {
    List items;
    for (const ast::NodePtr& item : nodes) items.push_back(evaluate(*item, scope));
    return items;
  };
  if (const auto* n = ast::as<ast::IntegerLiteral>(node)) return n->value;
  if (const auto* n = ast::as<ast::FloatLiteral>(node)) return n->value;
  if (const auto* n = ast::as<ast::ListLiteral>(node)) return Value::list(evaluate_all(n->items));
  if (const auto* n = ast::as<ast::TupleLiteral>(node)) return Value::tuple(evaluate_all(n->items));
  if (const auto* n = ast::as<ast::DictLiteral>(node)) {
    Dict items;
    for (const auto& [key, value] : n->items) {
      const Value name = evaluate(*key, scope);
      items.emplace_back(name, evaluate(*value, scope));
    }
    return Value::dict(std::move(items));
  }
  throw TemplateFault("TemplateSyntaxError", "a slice stands only between square brackets");
}

Value Evaluator::evaluate_name(const std::string& name, const ScopePtr& scope) {
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

Value Evaluator::evaluate_optional(const ast::NodePtr& node, const ScopePtr& scope) {
  return node ? evaluate(*node, scope) : Value();
}

Value Evaluator::evaluate_item(const ast::Item& node, const ScopePtr& scope) {
  const Value object = evaluate(*node.object, scope);
  if (const auto* slice = ast::as<ast::Slice>(*node.key)) {
    const Value start = evaluate_optional(slice->start, scope);
    const Value stop = evaluate_optional(slice->stop, scope);
    const Value step = evaluate_optional(slice->step, scope);
    position_ = node.pos;
    return get_slice(object, start, stop, step);
  }
  const Value key = evaluate(*node.key, scope);
  position_ = node.pos;
  return get_item(object, key);
}

Arguments Evaluator::evaluate_arguments(const std::vector<ast::Argument>& nodes,
                                        const ScopePtr& scope) {
  Arguments arguments;
  for (const ast::Argument& node : nodes) {
    Value value = evaluate(*node.value, scope);
    if (node.kind == ast::Argument::kNamed) {
      arguments.named.emplace_back(node.name, std::move(value));
    } else if (node.kind == ast::Argument::kPositional) {
      arguments.positional.push_back(std::move(value));
    } else if (node.kind == ast::Argument::kList) {
      for (Value& item : iterate(value)) arguments.positional.push_back(std::move(item));
    } else {
      require_defined(value);
      if (!value.as_dict()) throw TemplateFault("TypeError", "argument after ** must be a mapping");
      for (const auto& [key, item] : *value.as_dict())
        arguments.named.emplace_back(require_text(key, "a keyword").str(), item);
    }
  }
  return arguments;
}

Value Evaluator::evaluate_call(const ast::Call& node, const ScopePtr& scope) {
  const Value callee = evaluate(*node.callee, scope);
  const Arguments arguments = evaluate_arguments(node.arguments, scope);
  position_ = node.pos;
  require_defined(callee);
  const auto* function = callee.as<std::shared_ptr<const Function>>();
  if (!function) {
    throw TemplateFault("TypeError",
                        fmt::format("'{}' object is not callable", callee.type_name()));
  }
  return (*function)->call(arguments);
}

Value Evaluator::evaluate_binary(const ast::Binary& node, const ScopePtr& scope) {
  Value left = evaluate(*node.left, scope);
  if (node.op == "and") return truth(left) ? evaluate(*node.right, scope) : left;
  if (node.op == "or") return truth(left) ? left : evaluate(*node.right, scope);
  const Value right = evaluate(*node.right, scope);
  position_ = node.pos;
  return apply_operator(node.op, left, right);
}

Value Evaluator::evaluate_comparison(const ast::Comparison& node, const ScopePtr& scope) {
  Value left = evaluate(*node.first, scope);
  Value result;
  for (const auto& [op, operand] : node.rest) {
    Value right = evaluate(*operand, scope);
    position_ = node.pos;
    result = apply_operator(op, left, right);
    if (!truth(result)) break;
    left = std::move(right);
  }
  return result;
}

Value Evaluator::evaluate_unary(const ast::Unary& node, const ScopePtr& scope) {
  const Value value = evaluate(*node.operand, scope);
  if (node.op == "not") return !truth(value);
  if (node.op == "-") return apply_operator("-", std::int64_t{0}, value);
  return apply_operator("+", std::int64_t{0}, value);
}

Value Evaluator::evaluate_filter(const ast::Filter& node, const Value& operand,
                                 const ScopePtr& scope) {
  const Arguments arguments = evaluate_arguments(node.arguments, scope);
  position_ = node.pos;
  return apply_filter(node.name, operand, arguments);
}

}  // namespace hone::tokenizer::jinja
