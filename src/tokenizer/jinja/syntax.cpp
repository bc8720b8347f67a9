#include "tokenizer/jinja/syntax.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/error.h"

namespace hone::tokenizer::jinja {
namespace {

// The parser and the tree's destructor recurse; these bounds keep them well inside a thread's
// stack. The largest templates in use have some 10,000 tokens, 300 branches and a nesting of 15.
constexpr std::size_t kMaxTokens = 30'000, kMaxBranches = 2'000;
constexpr int kMaxNesting = 100;

// llama.cpp's lexer knows no floor division and reads `//` as two slashes.
void join_floor_divisions(std::vector<ast::token>& tokens) {
  const auto is_slash = [](const ast::token& token) {
    return token.t == ast::token::multiplicative_binary_operator && token.value == "/";
  };
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const bool adjacent = tokens[i].pos + 1 == tokens[i + 1].pos;
    if (!adjacent || !is_slash(tokens[i]) || !is_slash(tokens[i + 1])) continue;
    tokens[i].value = "//";
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

bool is_branch(const ast::token& token) {
  if (token.t == ast::token::unary_operator) return true;
  if (token.t != ast::token::identifier) return false;
  for (const char* word : {"if", "elif", "else", "for", "not", "macro", "call", "filter", "set"}) {
    if (token.value == word) return true;
  }
  return false;
}

void check_bounds(const std::vector<ast::token>& tokens, const std::string& source) {
  int nesting = 0;
  std::size_t branches = 0;
  for (const ast::token& token : tokens) {
    using enum ast::token::type;
    if (token.t == open_paren || token.t == open_square_bracket || token.t == open_curly_bracket) {
      ++nesting;
    } else if (token.t == close_paren || token.t == close_square_bracket ||
               token.t == close_curly_bracket) {
      --nesting;
    }
    branches += is_branch(token);
    HONE_CHECK(DataError, nesting <= kMaxNesting && branches <= kMaxBranches,
               "chat template, line {}: more than {} nested brackets or {} branches",
               line_of(source, token.pos), kMaxNesting, kMaxBranches);
  }
}

// The first line of a message; llama.cpp adds a drawing of the source below it.
std::string first_line(std::string_view message) {
  return std::string(message.substr(0, message.find('\n')));
}

}  // namespace

std::size_t line_of(const std::string& source, std::size_t position) {
  const auto end = source.begin() + static_cast<std::ptrdiff_t>(std::min(position, source.size()));
  return static_cast<std::size_t>(std::count(source.begin(), end, '\n')) + 1;
}

Syntax parse_template(const std::string& source) {
  // The lexer loses the first character of a template where only blanks stand between it and a
  // block. An empty comment before it changes nothing else: no newline follows it.
  const bool guarded = !source.empty() && std::isspace(static_cast<unsigned char>(source[0])) == 0;
  std::string text(guarded ? "{##}" : "");
  text += source;
  try {
    ast::lexer_result lexed = ast::lexer().tokenize(text);
    HONE_CHECK(DataError, lexed.tokens.size() <= kMaxTokens,
               "chat template: {} tokens; expected at most {}", lexed.tokens.size(), kMaxTokens);
    join_floor_divisions(lexed.tokens);
    check_bounds(lexed.tokens, lexed.source);
    return {ast::parse_from_tokens(lexed), lexed.source};
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& error) {
    throw DataError(fmt::format("chat template does not parse: {}", first_line(error.what())));
  }
}

}  // namespace hone::tokenizer::jinja
