#include "datasets/audit/pii.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "io/utf8.h"
#include "tokenizer/regex.h"

namespace hone::datasets::audit {
namespace {

using tokenizer::Regex;
using tokenizer::TextRange;
using Ranges = std::vector<TextRange>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string digits_of(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), is_digit);
  return digits;
}

/// Matches of `pattern` that `accept(text, range)` takes.
template <class Accept>
Ranges matches(const Regex& pattern, std::string_view text, Accept accept) {
  Ranges found;
  for (std::size_t from = 0; from < text.size();) {
    const auto match = pattern.find(text, from);
    if (!match) break;
    if (accept(text, *match)) found.push_back(*match);
    from = match->end;
  }
  return found;
}

/// Names that the RFC keeps for examples are no one's.
/// @source RFC 2606
bool is_reserved_domain(std::string_view domain) {
  constexpr std::array kReserved = {"example.com", "example.org", "example.net", ".example",
                                    ".test",       ".invalid",    ".localhost"};
  return std::any_of(kReserved.begin(), kReserved.end(),
                     [&](std::string_view name) { return domain.ends_with(name); });
}

Ranges find_email(std::string_view text) {
  if (text.find('@') == text.npos) return {};
  static const Regex pattern(
      "(?<![\\w.+-])[\\w+-][\\w.+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+"
      "[A-Za-z]{2,24}(?![\\w-])");
  return matches(pattern, text, [](std::string_view all, TextRange range) {
    const std::string_view address = all.substr(range.begin, range.size());
    return !is_reserved_domain(address.substr(address.find('@') + 1));
  });
}

Ranges find_phone(std::string_view text) {
  // +49 30 1234567, 0049-30-…, (030) 123 4567, 030-…, 555-123-4567 with a word for it before.
  static const Regex pattern(
      "(?<![\\w+./-])(?:(?:\\+|00)[1-9][\\d ()./\\x{00A0}-]{6,18}\\d"
      "|\\(\\d{2,5}\\) ?\\d{3,4}[ -]?\\d{3,5}"
      "|(?i:(?<=tel )|(?<=tel: )|(?<=tel\\. )|(?<=phone )|(?<=phone: )|(?<=call )|(?<=mobile )"
      "|(?<=mobile: )|(?<=fax )|(?<=fax: ))\\d[\\d ./-]{5,14}\\d)(?![\\w-])");
  return matches(pattern, text, [](std::string_view all, TextRange range) {
    const std::size_t digits = digits_of(all.substr(range.begin, range.size())).size();
    return digits >= 7 && digits <= 15;  // E.164
  });
}

/// Length and first digits as card networks issue them.
bool is_card(std::string_view digits) {
  const std::size_t n = digits.size();
  if (n < 13) return false;
  const int two = (digits[0] - '0') * 10 + (digits[1] - '0');
  const bool visa = digits[0] == '4' && (n == 13 || n == 16 || n == 19);
  const bool mastercard = n == 16 && ((two >= 51 && two <= 55) || (two >= 22 && two <= 27));
  const bool amex = n == 15 && (two == 34 || two == 37);
  const bool other = n >= 14 && (two == 30 || two == 36 || two == 38 || two == 35 || two == 60 ||
                                 two == 62 || two == 64 || two == 65);
  return (visa || mastercard || amex || other) && passes_luhn(digits);
}

Ranges find_card(std::string_view text) {
  // In groups of four (or 4-6-5), or in one; always the same separator.
  static const Regex pattern(
      "(?<![\\w.,+/-])(?:\\d{13,19}|\\d{4}([ -])\\d{4}\\1\\d{4}\\1\\d{1,4}(?:\\1\\d{1,3})?"
      "|\\d{4}([ -])\\d{6}\\2\\d{4,5})(?![\\w/-]|[.,]\\d)");
  return matches(pattern, text, [](std::string_view all, TextRange range) {
    return is_card(digits_of(all.substr(range.begin, range.size())));
  });
}

std::string without_spaces(std::string_view text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
               [](char c) { return c != ' '; });
  return compact;
}

Ranges find_iban(std::string_view text) {
  static const Regex pattern(
      "(?<![A-Za-z0-9])[A-Z]{2}\\d{2}(?:(?: ?[A-Z0-9]{4}){2,7}(?: "
      "?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])");
  Ranges found;
  for (std::size_t from = 0; from < text.size();) {
    auto match = pattern.find(text, from);
    if (!match) break;
    from = match->end;
    // The last groups may be words that follow: "DE89 … 00 PAID".
    while (match->size() >= 15) {
      const std::string_view part = text.substr(match->begin, match->size());
      if (is_iban(without_spaces(part))) {
        found.push_back(*match);
        break;
      }
      const std::size_t space = part.rfind(' ');
      if (space == part.npos) break;
      match->end = match->begin + space;
    }
  }
  return found;
}

/// Reachable by anyone: not private, not this machine, not for documentation.
/// @source RFC 6890
bool is_public(std::uint32_t v4) {
  const auto in = [v4](std::uint32_t net, int bits) {
    return v4 >> (32 - bits) == net >> (32 - bits);
  };
  return !(in(0x00000000, 8) || in(0x0A000000, 8) || in(0x64400000, 10) || in(0x7F000000, 8) ||
           in(0xA9FE0000, 16) || in(0xAC100000, 12) || in(0xC0000200, 24) || in(0xC0A80000, 16) ||
           in(0xC6336400, 24) || in(0xCB007100, 24) || in(0xE0000000, 3));
}

/// "version 1.2.3.4" is no address, nor "section 4.3.2.1".
bool follows_version_word(std::string_view text, std::size_t begin) {
  static const Regex pattern(
      "(?i)(?:\\bv|\\bver|\\bversions?|\\breleases?|\\bbuild|\\bfirmware|\\bsections?|\\bclause|"
      "\\bchapter|\\bparagraph|§)[.:]?\\s?$");
  std::size_t from = begin - std::min<std::size_t>(begin, 16);
  while (from < begin && io::is_utf8_continuation(text[from])) ++from;
  return pattern.find(text.substr(from, begin - from), 0).has_value();
}

Ranges find_ip(std::string_view text) {
  static const Regex v4(
      "(?<![\\w.-])(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)"
      "(?![\\w-]|\\.\\w)");
  static const Regex v6("(?<![\\w.:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\\w:]|\\.\\d)");
  Ranges found = matches(v4, text, [](std::string_view all, TextRange range) {
    in_addr address{};
    const std::string part(all.substr(range.begin, range.size()));
    return inet_pton(AF_INET, part.c_str(), &address) == 1 && is_public(ntohl(address.s_addr)) &&
           !follows_version_word(all, range.begin);
  });
  const Ranges more = matches(v6, text, [](std::string_view all, TextRange range) {
    in6_addr address{};
    const std::string part(all.substr(range.begin, range.size()));
    if (inet_pton(AF_INET6, part.c_str(), &address) != 1) return false;
    const std::uint8_t* b = address.s6_addr;
    const bool global = (b[0] & 0xE0) == 0x20;  // 2000::/3, all that is routed
    const bool documentation = b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0D && b[3] == 0xB8;
    return global && !documentation;
  });
  found.insert(found.end(), more.begin(), more.end());
  std::sort(found.begin(), found.end(),
            [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; });
  return found;
}

constexpr std::array kKinds = {
    PiiKind{"email", "[EMAIL]", find_email}, PiiKind{"phone", "[PHONE]", find_phone},
    PiiKind{"card", "[CARD]", find_card},    PiiKind{"iban", "[IBAN]", find_iban},
    PiiKind{"ip", "[IP]", find_ip},
};

struct IbanLength {
  std::string_view country;
  std::size_t length;
};

constexpr std::array kIbanLengths = {
    IbanLength{"AD", 24}, IbanLength{"AE", 23}, IbanLength{"AL", 28}, IbanLength{"AT", 20},
    IbanLength{"AZ", 28}, IbanLength{"BA", 20}, IbanLength{"BE", 16}, IbanLength{"BG", 22},
    IbanLength{"BH", 22}, IbanLength{"BR", 29}, IbanLength{"BY", 28}, IbanLength{"CH", 21},
    IbanLength{"CR", 22}, IbanLength{"CY", 28}, IbanLength{"CZ", 24}, IbanLength{"DE", 22},
    IbanLength{"DK", 18}, IbanLength{"DO", 28}, IbanLength{"EE", 20}, IbanLength{"EG", 29},
    IbanLength{"ES", 24}, IbanLength{"FI", 18}, IbanLength{"FO", 18}, IbanLength{"FR", 27},
    IbanLength{"GB", 22}, IbanLength{"GE", 22}, IbanLength{"GI", 23}, IbanLength{"GL", 18},
    IbanLength{"GR", 27}, IbanLength{"GT", 28}, IbanLength{"HR", 21}, IbanLength{"HU", 28},
    IbanLength{"IE", 22}, IbanLength{"IL", 23}, IbanLength{"IQ", 23}, IbanLength{"IS", 26},
    IbanLength{"IT", 27}, IbanLength{"JO", 30}, IbanLength{"KW", 30}, IbanLength{"KZ", 20},
    IbanLength{"LB", 28}, IbanLength{"LC", 32}, IbanLength{"LI", 21}, IbanLength{"LT", 20},
    IbanLength{"LU", 20}, IbanLength{"LV", 21}, IbanLength{"MC", 27}, IbanLength{"MD", 24},
    IbanLength{"ME", 22}, IbanLength{"MK", 19}, IbanLength{"MR", 27}, IbanLength{"MT", 31},
    IbanLength{"MU", 30}, IbanLength{"NL", 18}, IbanLength{"NO", 15}, IbanLength{"PK", 24},
    IbanLength{"PL", 28}, IbanLength{"PS", 29}, IbanLength{"PT", 25}, IbanLength{"QA", 29},
    IbanLength{"RO", 24}, IbanLength{"RS", 22}, IbanLength{"SA", 24}, IbanLength{"SC", 31},
    IbanLength{"SE", 24}, IbanLength{"SI", 19}, IbanLength{"SK", 24}, IbanLength{"SM", 27},
    IbanLength{"ST", 25}, IbanLength{"SV", 28}, IbanLength{"TL", 23}, IbanLength{"TN", 24},
    IbanLength{"TR", 26}, IbanLength{"UA", 29}, IbanLength{"VA", 22}, IbanLength{"VG", 24},
    IbanLength{"XK", 20},
};

}  // namespace

std::span<const PiiKind> pii_kinds() { return kKinds; }

std::string masked(std::string_view text) {
  std::size_t shown = std::min<std::size_t>(2, text.size());
  while (shown < text.size() && io::is_utf8_continuation(text[shown])) ++shown;
  std::string result(text.substr(0, shown));
  for (std::size_t i = shown; i < std::min<std::size_t>(text.size(), 10); ++i) result += "•";
  return result;
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int digit = digits[digits.size() - 1 - i] - '0';
    const int value = i % 2 == 0 ? digit : 2 * digit;
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

bool is_iban(std::string_view compact) {
  const auto known =
      std::find_if(kIbanLengths.begin(), kIbanLengths.end(),
                   [&](const IbanLength& l) { return compact.starts_with(l.country); });
  if (known == kIbanLengths.end() || compact.size() != known->length) return false;
  int remainder = 0;
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[(i + 4) % compact.size()];  // country and check digits come last
    remainder =
        is_digit(c) ? (remainder * 10 + (c - '0')) % 97 : (remainder * 100 + (c - 'A' + 10)) % 97;
  }
  return remainder == 1;
}

}  // namespace hone::datasets::audit
