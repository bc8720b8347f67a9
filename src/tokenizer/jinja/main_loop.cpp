#include "tokenizer/jinja/main_loop.h"

#include <algorithm>
#include <set>
#include <string>

namespace hone::tokenizer::jinja {
namespace {

bool is_name(const ast::statement& node, std::string_view name) {
  const auto* identifier = node_as<ast::identifier>(node);
  return identifier != nullptr && identifier->val == name;
}

const ast::integer_literal* as_integer(const ast::statement_ptr& node) {
  return node ? node_as<ast::integer_literal>(*node) : nullptr;
}

class Inspector {
 public:
  std::optional<MainLoop> run(const ast::statements& body) {
    std::size_t i = 0;
    for (; i < body.size() && fine_; ++i) {
      const auto* loop = node_as<ast::for_statement>(*body[i]);
      if (loop != nullptr && goes_over_messages(*loop->iterable)) break;
      visit(*body[i]);
    }
    if (i == body.size() || !fine_) return std::nullopt;
    visit_main_loop(static_cast<const ast::for_statement&>(*body[i]));
    place_ = Place::kBehind;
    for (std::size_t k = i + 1; k < body.size(); ++k) visit(*body[k]);
    if (!fine_) return std::nullopt;
    return MainLoop{i, reads_messages_};
  }

 private:
  enum class Place { kBefore, kInside, kBehind };

  bool is_messages(const ast::statement& node) const {
    const auto* identifier = node_as<ast::identifier>(node);
    return identifier != nullptr &&
           (identifier->val == "messages" || other_names_.count(identifier->val) > 0);
  }

  /// messages, another name of it, or messages[k:].
  bool is_messages_or_tail(const ast::statement& node) const {
    if (is_messages(node)) return true;
    const auto* member = node_as<ast::member_expression>(node);
    if (member == nullptr || !is_name(*member->object, "messages")) return false;
    const auto* slice = node_as<ast::slice_expression>(*member->property);
    if (slice == nullptr || slice->stop_expr || slice->step_expr) return false;
    const auto* start = as_integer(slice->start_expr);
    return start != nullptr && start->val >= 0;
  }

  bool goes_over_messages(const ast::statement& iterable) const {
    const auto* filtered = node_as<ast::select_expression>(iterable);
    return is_messages_or_tail(filtered ? *filtered->lhs : iterable);
  }

  void visit_main_loop(const ast::for_statement& loop) {
    place_ = Place::kInside;
    fine_ = fine_ && loop.default_block.empty() && node_as<ast::identifier>(*loop.loopvar);
    if (const auto* filtered = node_as<ast::select_expression>(*loop.iterable))
      visit(*filtered->test);
    visit_all(loop.body);
  }

  void visit_all(const ast::statements& nodes) {
    for (const ast::statement_ptr& node : nodes) visit(*node);
  }
  void visit_optional(const ast::statement_ptr& node) {
    if (node) visit(*node);
  }

  void visit(const ast::statement& node) {
    if (!fine_) return;
    if (const auto* n = node_as<ast::identifier>(node)) return visit_name(n->val);
    if (const auto* n = node_as<ast::member_expression>(node)) return visit_member(*n);
    if (const auto* n = node_as<ast::call_expression>(node)) {
      // A namespace that no variable holds would escape the snapshot of the evaluator.
      fine_ = fine_ && !is_name(*n->callee, "namespace");
      visit(*n->callee);
      return visit_all(n->args);
    }
    if (const auto* n = node_as<ast::set_statement>(node)) return visit_set(*n);
    if (const auto* n = node_as<ast::for_statement>(node)) return visit_inner_loop(*n);
    if (const auto* n = node_as<ast::if_statement>(node)) {
      visit(*n->test);
      visit_all(n->body);
      return visit_all(n->alternate);
    }
    if (const auto* n = node_as<ast::macro_statement>(node)) {
      visit_all(n->args);
      return visit_all(n->body);
    }
    if (const auto* n = node_as<ast::call_statement>(node)) {
      visit(*n->call);
      return visit_all(n->body);
    }
    if (const auto* n = node_as<ast::filter_statement>(node)) {
      visit_arguments(*n->filter);
      return visit_all(n->body);
    }
    visit_expression(node);
  }

  void visit_expression(const ast::statement& node) {
    if (const auto* n = node_as<ast::binary_expression>(node))
      return visit(*n->left), visit(*n->right);
    if (const auto* n = node_as<ast::unary_expression>(node)) return visit(*n->argument);
    if (const auto* n = node_as<ast::filter_expression>(node))
      return visit(*n->operand), visit_arguments(*n->filter);
    if (const auto* n = node_as<ast::test_expression>(node))
      return visit(*n->operand), visit_arguments(*n->test);
    if (const auto* n = node_as<ast::ternary_expression>(node))
      return visit(*n->condition), visit(*n->true_expr), visit(*n->false_expr);
    if (const auto* n = node_as<ast::select_expression>(node))
      return visit(*n->lhs), visit(*n->test);
    if (const auto* n = node_as<ast::keyword_argument_expression>(node)) return visit(*n->val);
    if (const auto* n = node_as<ast::spread_expression>(node)) return visit(*n->argument);
    if (const auto* n = node_as<ast::array_literal>(node)) return visit_all(n->val);
    if (const auto* n = node_as<ast::tuple_literal>(node)) return visit_all(n->val);
    if (const auto* n = node_as<ast::slice_expression>(node)) {
      visit_optional(n->start_expr);
      visit_optional(n->stop_expr);
      return visit_optional(n->step_expr);
    }
    if (const auto* n = node_as<ast::object_literal>(node))
      for (const auto& [key, value] : n->val) visit(*key), visit(*value);
  }

  /// Of a filter or a test; its name is no variable.
  void visit_arguments(const ast::statement& node) {
    if (const auto* call = node_as<ast::call_expression>(node)) visit_all(call->args);
  }

  void visit_name(const std::string& name) {
    if (name == "messages") {
      reads_messages_ = true;
      fine_ = fine_ && place_ == Place::kBehind;
    }
    if (other_names_.count(name) > 0) fine_ = false;
    if (name == "add_generation_prompt" && place_ != Place::kBehind) fine_ = false;
    if (name == "loop" && place_ == Place::kInside && inner_loops_ == 0) fine_ = false;
  }

  void visit_member(const ast::member_expression& node) {
    const auto* property = node_as<ast::identifier>(*node.property);
    const auto* index = as_integer(node.property);
    if (place_ != Place::kBehind && is_name(*node.object, "messages") && index && index->val == 0)
      return;
    if (is_name(*node.object, "loop") && property && !node.computed) {
      const std::string& name = property->val;
      if (name == "first" || name == "index" || name == "index0" || name == "previtem") return;
    }
    visit(*node.object);
    if (node.computed || property == nullptr) visit(*node.property);
  }

  void visit_set(const ast::set_statement& node) {
    const auto* name = node_as<ast::identifier>(*node.assignee);
    if (name && (name->val == "messages" || name->val == "add_generation_prompt")) fine_ = false;
    if (!node.val) return visit_all(node.body);
    if (name && place_ == Place::kBefore && is_messages_or_tail(*node.val)) {
      other_names_.insert(name->val);
      return;
    }
    const auto* call = node_as<ast::call_expression>(*node.val);
    if (name && call && is_name(*call->callee, "namespace")) return visit_all(call->args);
    visit(*node.val);
  }

  void visit_inner_loop(const ast::for_statement& node) {
    visit(*node.iterable);
    ++inner_loops_;
    visit_all(node.body);
    --inner_loops_;
    visit_all(node.default_block);
  }

  Place place_ = Place::kBefore;
  bool fine_ = true, reads_messages_ = false;
  int inner_loops_ = 0;
  std::set<std::string> other_names_;  // of `messages` or its tail
};

}  // namespace

std::optional<MainLoop> find_main_loop(const ast::program& program) {
  return Inspector().run(program.body);
}

}  // namespace hone::tokenizer::jinja
