#include <algorithm>

#include "tokenizer/jinja/evaluator.h"

namespace hone::tokenizer::jinja {
namespace {

/// Puts back, at its end, every variable of a scope and every attribute of its namespaces: all that
/// statements can change (MainLoop).
class Snapshot {
 public:
  explicit Snapshot(const ScopePtr& scope) : scope_(scope), variables_(scope->variables) {
    for (const auto& [name, value] : variables_)
      if (const auto* space = value.as<std::shared_ptr<Namespace>>())
        attributes_.emplace_back(*space, (*space)->attributes);
  }
  ~Snapshot() {
    scope_->variables = std::move(variables_);
    for (auto& [space, attributes] : attributes_) space->attributes = std::move(attributes);
  }
  Snapshot(const Snapshot&) = delete;

 private:
  ScopePtr scope_;
  std::map<std::string, Value> variables_;
  std::vector<std::pair<std::shared_ptr<Namespace>, std::map<std::string, Value>>> attributes_;
};

}  // namespace

void Evaluator::run_watched(const ast::Nodes& body, const MainLoop& loop, PrefixWatch& watch,
                            const ScopePtr& scope, Program::Output& output) {
  watched_ = Watched{body[loop.statement].get(), std::span(body).subspan(loop.statement + 1),
                     loop.rest_reads_messages, &watch};
  run(body, scope, output);
}

/// What a rendering of the messages up to `item` would be, were they all: with the prompt for
/// `item` before it is printed, and without a prompt once it is.
void Evaluator::find_prefix(const Value& item, bool is_done, const ScopePtr& scope,
                            const Text& out) {
  PrefixWatch& watch = *watched_->watch;
  const auto place = watch.places.find(item.origin());
  if (place == watch.places.end()) return;
  const PrefixWatch::Wanted wanted{place->second + (is_done ? 1 : 0), !is_done};
  const auto [first, last] =
      std::equal_range(watch.wanted.begin(), watch.wanted.end(), wanted,
                       [](const auto& a, const auto& b) { return a.count < b.count; });
  if (wanted.count == 0 || std::find(first, last, wanted) == last) return;
  watch.found.push_back({wanted, out.size(), render_rest(wanted, scope)});
}

std::optional<Text> Evaluator::render_rest(const PrefixWatch::Wanted& wanted,
                                           const ScopePtr& scope) {
  const Snapshot snapshot(scope);
  const std::size_t position = position_;
  scope->variables["add_generation_prompt"] = wanted.add_generation_prompt;
  if (watched_->rest_reads_messages) {
    const List& all = *watched_->watch->messages.as_list();
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(wanted.count);
    scope->variables["messages"] =
        Value::list(List(all.begin(), end), ListKind::kList, watched_->watch->messages.origin());
  }
  std::optional<Text> rest(std::in_place);
  try {
    for (const ast::NodePtr& statement : watched_->rest) execute(*statement, scope, *rest);
  } catch (const TemplateFault&) {
    rest.reset();
  }
  position_ = position;
  return rest;
}

}  // namespace hone::tokenizer::jinja
