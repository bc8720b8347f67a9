#include "eval/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

namespace hone::eval {
namespace {

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

}  // namespace

struct Pattern::Code {
  std::string pattern;
  pcre2_code* code = nullptr;
  std::uint32_t groups = 0;
  ~Code() { pcre2_code_free(code); }
};

Pattern::Pattern(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->pattern = pattern;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  HONE_CHECK(ConfigError, code->code != nullptr,
             "the regular expression `{}` does not compile: {} at byte {}", pattern,
             pcre2_message(error), offset);
  pcre2_pattern_info(code->code, PCRE2_INFO_CAPTURECOUNT, &code->groups);
  code_ = std::move(code);
}

bool Pattern::has_group() const { return code_->groups > 0; }

std::optional<std::string> Pattern::find(std::string_view text) const {
  const MatchData data(pcre2_match_data_create_from_pattern(code_->code, nullptr),
                       pcre2_match_data_free);
  const int found = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                0, 0, data.get(), nullptr);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  HONE_CHECK(DataError, found > 0,
             "the regular expression `{}` failed on an answer of {} bytes: {}; make it simpler",
             code_->pattern, text.size(), pcre2_message(found));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
  for (int group = 1; group < found; ++group)
    if (ends[2 * group] != PCRE2_UNSET)
      return std::string(text.substr(ends[2 * group], ends[2 * group + 1] - ends[2 * group]));
  return std::string(text.substr(ends[0], ends[1] - ends[0]));
}

bool Pattern::agrees(std::string_view answer, const std::optional<std::string>& reference) const {
  const std::optional<std::string> found = find(answer);
  if (!found || !has_group() || !reference) return found.has_value();
  return found == find(*reference);
}

}  // namespace hone::eval
