#include "tokenizer/jinja/main_loop.h"

#include <algorithm>
#include <set>
#include <string>

namespace hone::tokenizer::jinja {
namespace {

bool is_name(const ast::Node& node, std::string_view name) {
  const auto* found = ast::as<ast::Name>(node);
  return found != nullptr && found->name == name;
}

const ast::IntegerLiteral* as_integer(const ast::NodePtr& node) {
  return node ? ast::as<ast::IntegerLiteral>(*node) : nullptr;
}

class Inspector {
 public:
  std::optional<MainLoop> run(const ast::Nodes& body) {
    std::size_t i = 0;
    for (; i < body.size() && fine_; ++i) {
      const auto* loop = ast::as<ast::For>(*body[i]);
      if (loop != nullptr && is_messages_or_tail(*loop->iterable)) break;
      visit(*body[i]);
    }
    if (i == body.size() || !fine_) return std::nullopt;
    visit_main_loop(static_cast<const ast::For&>(*body[i]));
    place_ = Place::kBehind;
    for (std::size_t k = i + 1; k < body.size(); ++k) visit(*body[k]);
    if (!fine_) return std::nullopt;
    return MainLoop{i, reads_messages_};
  }

 private:
  enum class Place { kBefore, kInside, kBehind };

  /// messages, another name of it, or messages[k:].
  bool is_messages_or_tail(const ast::Node& node) const {
    const auto* name = ast::as<ast::Name>(node);
    if (name) return name->name == "messages" || other_names_.count(name->name) > 0;
    const auto* item = ast::as<ast::Item>(node);
    if (item == nullptr || !is_name(*item->object, "messages")) return false;
    const auto* slice = ast::as<ast::Slice>(*item->key);
    if (slice == nullptr || slice->stop || slice->step) return false;
    const auto* start = as_integer(slice->start);
    return start != nullptr && start->value >= 0;
  }

  void visit_main_loop(const ast::For& loop) {
    place_ = Place::kInside;
    fine_ = fine_ && loop.otherwise.empty() && ast::as<ast::Name>(*loop.target);
    visit_optional(loop.condition);
    visit_all(loop.body);
  }

  void visit_all(const ast::Nodes& nodes) {
    for (const ast::NodePtr& node : nodes) visit(*node);
  }
  void visit_optional(const ast::NodePtr& node) {
    if (node) visit(*node);
  }
  void visit_arguments(const std::vector<ast::Argument>& arguments) {
    for (const ast::Argument& argument : arguments) visit(*argument.value);
  }
  void visit_parameters(const std::vector<ast::Parameter>& parameters) {
    for (const ast::Parameter& parameter : parameters) visit_optional(parameter.default_value);
  }
  void visit_filters(const std::vector<ast::Filter>& filters) {
    for (const ast::Filter& filter : filters) visit_arguments(filter.arguments);
  }

  void visit(const ast::Node& node) {
    if (!fine_) return;
    if (const auto* n = ast::as<ast::Set>(node)) return visit_set(*n);
    if (const auto* n = ast::as<ast::For>(node)) return visit_inner_loop(*n);
    if (const auto* n = ast::as<ast::If>(node)) {
      for (const auto& [condition, body] : n->branches) visit(*condition), visit_all(body);
      return visit_all(n->otherwise);
    }
    if (const auto* n = ast::as<ast::Macro>(node))
      return visit_parameters(n->parameters), visit_all(n->body);
    if (const auto* n = ast::as<ast::CallBlock>(node))
      return visit(*n->call), visit_parameters(n->parameters), visit_all(n->body);
    if (const auto* n = ast::as<ast::FilterBlock>(node))
      return visit_filters(n->filters), visit_all(n->body);
    if (const auto* n = ast::as<ast::Generation>(node)) return visit_all(n->body);
    if (const auto* n = ast::as<ast::With>(node)) {
      for (const auto& [target, value] : n->values) visit(*value);
      return visit_all(n->body);
    }
    visit_expression(node);
  }

  void visit_expression(const ast::Node& node) {
    if (const auto* n = ast::as<ast::Name>(node)) return visit_name(n->name);
    if (const auto* n = ast::as<ast::Attribute>(node)) return visit_attribute(*n);
    if (const auto* n = ast::as<ast::Item>(node)) return visit_item(*n);
    if (const auto* n = ast::as<ast::Call>(node)) {
      // A namespace that no variable holds would escape the evaluator's snapshot.
      fine_ = fine_ && !is_name(*n->callee, "namespace");
      return visit(*n->callee), visit_arguments(n->arguments);
    }
    if (const auto* n = ast::as<ast::Binary>(node)) return visit(*n->left), visit(*n->right);
    if (const auto* n = ast::as<ast::Unary>(node)) return visit(*n->operand);
    if (const auto* n = ast::as<ast::Comparison>(node)) {
      visit(*n->first);
      for (const auto& [op, operand] : n->rest) visit(*operand);
      return;
    }
    if (const auto* n = ast::as<ast::Filter>(node))
      return visit(*n->operand), visit_arguments(n->arguments);
    if (const auto* n = ast::as<ast::Test>(node))
      return visit(*n->operand), visit_arguments(n->arguments);
    if (const auto* n = ast::as<ast::Conditional>(node))
      return visit(*n->condition), visit(*n->if_true), visit_optional(n->if_false);
    if (const auto* n = ast::as<ast::ListLiteral>(node)) return visit_all(n->items);
    if (const auto* n = ast::as<ast::TupleLiteral>(node)) return visit_all(n->items);
    if (const auto* n = ast::as<ast::DictLiteral>(node))
      for (const auto& [key, value] : n->items) visit(*key), visit(*value);
    if (const auto* n = ast::as<ast::Slice>(node))
      visit_optional(n->start), visit_optional(n->stop), visit_optional(n->step);
  }

  void visit_name(const std::string& name) {
    if (name == "messages") {
      reads_messages_ = true;
      fine_ = fine_ && place_ == Place::kBehind;
    }
    // What else changes: a joiner remembers that it was called.
    if (other_names_.count(name) > 0 || name == "joiner") fine_ = false;
    if (name == "add_generation_prompt" && place_ != Place::kBehind) fine_ = false;
    if (name == "loop" && place_ == Place::kInside && inner_loops_ == 0) fine_ = false;
  }

  void visit_attribute(const ast::Attribute& node) {
    const std::string& name = node.name;
    const bool looks_back =
        name == "first" || name == "index" || name == "index0" || name == "previtem";
    if (is_name(*node.object, "loop") && looks_back) return;
    visit(*node.object);
  }

  void visit_item(const ast::Item& node) {
    const auto* index = as_integer(node.key);
    if (place_ != Place::kBehind && is_name(*node.object, "messages") && index && index->value == 0)
      return;
    visit(*node.object);
    visit(*node.key);
  }

  void visit_set(const ast::Set& node) {
    const auto* name = ast::as<ast::Name>(*node.target);
    if (name && (name->name == "messages" || name->name == "add_generation_prompt")) fine_ = false;
    visit_filters(node.filters);
    if (!node.value) return visit_all(node.body);
    if (name && place_ == Place::kBefore && is_messages_or_tail(*node.value)) {
      other_names_.insert(name->name);
      return;
    }
    const auto* call = ast::as<ast::Call>(*node.value);
    if (name && call && is_name(*call->callee, "namespace"))
      return visit_arguments(call->arguments);
    visit(*node.value);
  }

  void visit_inner_loop(const ast::For& node) {
    visit(*node.iterable);
    visit_optional(node.condition);
    ++inner_loops_;
    visit_all(node.body);
    --inner_loops_;
    visit_all(node.otherwise);
  }

  Place place_ = Place::kBefore;
  bool fine_ = true, reads_messages_ = false;
  int inner_loops_ = 0;
  std::set<std::string> other_names_;  // of `messages` or its tail
};

}  // namespace

std::optional<MainLoop> find_main_loop(const ast::Nodes& body) { return Inspector().run(body); }

}  // namespace hone::tokenizer::jinja
