#include "tokenizer/jinja/interpreter.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/syntax.h"

namespace hone::tokenizer::jinja {

struct Program::Tree {
  explicit Tree(const std::string& source)
      : syntax(parse_template(source)), main_loop(find_main_loop(syntax.body)) {}
  Syntax syntax;
  std::optional<MainLoop> main_loop;
};

Program::Program(const std::string& source) : tree_(std::make_unique<const Tree>(source)) {}

Program::~Program() = default;

bool Program::has_main_loop() const { return tree_->main_loop.has_value(); }

Program::Output Program::render(const std::map<std::string, Value>& variables, const std::tm& now,
                                PrefixWatch* watch) const {
  Evaluator evaluator(now);
  auto scope = std::make_shared<Scope>();
  scope->variables = variables;
  Output output;
  try {
    if (watch != nullptr && tree_->main_loop) {
      evaluator.run_watched(tree_->syntax.body, *tree_->main_loop, *watch, scope, output);
    } else {
      evaluator.run(tree_->syntax.body, scope, output);
    }
  } catch (const TemplateFault& fault) {
    throw DataError(fmt::format("chat template, line {}: {}",
                                line_of(tree_->syntax.source, evaluator.position()), fault.what()));
  }
  return output;
}

}  // namespace hone::tokenizer::jinja
