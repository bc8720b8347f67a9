#include "tokenizer/jinja/interpreter.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/syntax.h"

namespace hone::tokenizer::jinja {

struct Program::Tree {
  Syntax syntax;
};

Program::Program(const std::string& source)
    : tree_(std::make_unique<const Tree>(Tree{parse_template(source)})) {}

Program::~Program() = default;

Program::Output Program::render(const std::map<std::string, Value>& variables,
                                const std::tm& now) const {
  Evaluator evaluator(tree_->syntax.source, now);
  auto scope = std::make_shared<Scope>();
  scope->variables = variables;
  Output output;
  try {
    evaluator.run(tree_->syntax.program.body, scope, output);
  } catch (const TemplateFault& fault) {
    throw DataError(fmt::format("chat template, line {}: {}",
                                line_of(tree_->syntax.source, evaluator.position()), fault.what()));
  }
  return output;
}

}  // namespace hone::tokenizer::jinja
