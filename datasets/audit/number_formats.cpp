#include "datasets/audit/number_formats.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tokenizer/regex.h"

namespace hone::datasets::audit {
namespace {

using tokenizer::Regex;

// What could be either of two styles is neither: 1.000 alone may be one, 3/4/2025 either order.
constexpr std::array kStyles = {
    NumberStyle{"thousands", "1,000",
                "(?<![\\w.,])[1-9]\\d{0,2}(?:,\\d{3})+(?:\\.\\d+)?(?![\\w,])"},
    NumberStyle{"thousands", "1.000",
                "(?<![\\w.,])[1-9]\\d{0,2}(?:(?:\\.\\d{3}){2,}(?:,\\d+)?|\\.\\d{3},\\d{1,2})(?!["
                "\\w.,]\\d)"},
    NumberStyle{
        "thousands", "1 000",
        "(?<![\\w.,+/-]|\\d[ \\x{00A0}\\x{202F}])[1-9]\\d{0,2}(?:[ \\x{00A0}\\x{202F}]\\d{3})+"
        "(?![\\w/-]|[ \\x{00A0}\\x{202F}]\\d)"},
    NumberStyle{"thousands", "1'000", "(?<![\\w.,'’])[1-9]\\d{0,2}(?:['’]\\d{3})+(?![\\w'’])"},
    NumberStyle{"date", "2025-06-13",
                "(?<![\\w-])(?:19|20)\\d\\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])(?![\\d-])"},
    NumberStyle{"date", "13.06.2025",
                "(?<![\\w.])(?:0?[1-9]|[12]\\d|3[01])\\.(?:0?[1-9]|1[0-2])\\.(?:19|20)\\d\\d(?!\\w|"
                "\\.\\d)"},
    NumberStyle{"date", "6/13/2025",
                "(?<![\\w/])(?:0?[1-9]|1[0-2])/(?:1[3-9]|2\\d|3[01])/(?:19|20)\\d\\d(?![\\d/])"},
    NumberStyle{"date", "13/6/2025",
                "(?<![\\w/])(?:1[3-9]|2\\d|3[01])/(?:0?[1-9]|1[0-2])/(?:19|20)\\d\\d(?![\\d/])"},
    NumberStyle{
        "date", "June 13, 2025",
        "\\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
        "Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\\.? \\d{1,2}(?:st|nd|rd|th)?, "
        "(?:19|20)\\d\\d\\b"},
    NumberStyle{"date", "13 June 2025",
                "\\b\\d{1,2}(?:st|nd|rd|th|\\.)? (?:of "
                ")?(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|"
                "June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
                "\\.?,? (?:19|20)\\d\\d\\b"},
};

}  // namespace

std::span<const NumberStyle> number_style_table() { return kStyles; }

std::uint16_t number_styles(std::string_view text) {
  static const std::vector<Regex> patterns = [] {
    std::vector<Regex> all;
    for (const NumberStyle& style : kStyles) all.emplace_back(std::string(style.pattern));
    return all;
  }();
  const auto digits =
      std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits < 4) return 0;
  std::uint16_t found = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i)
    if (patterns[i].find(text, 0)) found |= static_cast<std::uint16_t>(1u << i);
  return found;
}

}  // namespace hone::datasets::audit
