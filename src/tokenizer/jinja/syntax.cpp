#include "tokenizer/jinja/syntax.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/jinja/parser.h"
#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {
namespace {

// The tree's destructor recurses along chains of operators; this keeps it well inside a thread's
// stack. The largest templates in use have some 10,000 tokens.
constexpr std::size_t kMaxTokens = 30'000;

}  // namespace

std::size_t line_of(const std::string& source, std::size_t position) {
  const auto end = source.begin() + static_cast<std::ptrdiff_t>(std::min(position, source.size()));
  return static_cast<std::size_t>(std::count(source.begin(), end, '\n')) + 1;
}

Syntax parse_template(const std::string& source) {
  Syntax syntax;
  syntax.source = normalise_source(source);
  std::size_t position = 0;
  try {
    const std::vector<Token> tokens = tokenize(syntax.source, position);
    HONE_CHECK(DataError, tokens.size() <= kMaxTokens,
               "chat template: {} tokens; expected at most {}", tokens.size(), kMaxTokens);
    syntax.body = Parser(tokens, position).parse();
  } catch (const TemplateFault& fault) {
    throw DataError(
        fmt::format("chat template, line {}: {}", line_of(syntax.source, position), fault.what()));
  }
  return syntax;
}

}  // namespace hone::tokenizer::jinja
