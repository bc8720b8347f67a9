#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "tokenizer/regex_syntax.h"

namespace hone::tokenizer {
namespace {

// A match needs working memory that two threads may not share; one block serves every pattern.
struct MatchState {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(64 * 1024, 16 * 1024 * 1024, nullptr);

  MatchState() { pcre2_jit_stack_assign(context, nullptr, stack); }
  ~MatchState() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool is_jit_compiled = false;  // the JIT is not available everywhere; the interpreter is
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  // Lines have their own begin and end in Ruby's syntax.
  const std::string translated = to_pcre2(pattern);
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  HONE_CHECK(DataError, code->code != nullptr,
             "regular expression `{}` of the tokenizer does not compile: {} at byte {}", pattern,
             pcre2_message(error), offset);
  code->is_jit_compiled = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  code_ = std::move(code);
}

std::optional<TextRange> Regex::find(std::string_view text, std::size_t from) const {
  thread_local MatchState state;
  const auto match = code_->is_jit_compiled ? pcre2_jit_match : pcre2_match;
  const int found = match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                          PCRE2_NO_UTF_CHECK, state.data, state.context);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  HONE_CHECK(DataError, found >= 0,
             "regular expression `{}` failed on a text of {} bytes: {}. Shorten the text.",
             pattern_, text.size(), pcre2_message(found));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(state.data);
  return TextRange{ends[0], ends[1]};
}

std::string escape_regex(std::string_view literal) {
  std::string result;
  for (const char c : literal) {
    if (std::string_view("\\^$.[]|()?*+{}-#/").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

}  // namespace hone::tokenizer
