#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::datasets::audit {

/// One kind of personal data that a pattern and a check digit or range can tell.
struct PiiKind {
  std::string_view name;         ///< "email"
  std::string_view replacement;  ///< what redaction puts in its place: "[EMAIL]"
  /// Its ranges in a text, ascending and apart.
  std::vector<tokenizer::TextRange> (*find)(std::string_view text);
};

/// email, phone, card, iban, ip. Precise rather than complete: a card passes Luhn and begins like
/// one, an IBAN passes modulo 97 and has its country's length, an address can be reached from
/// outside, a phone number has a country code or is written as such.
std::span<const PiiKind> pii_kinds();

/// "jo•••••••" for reports, which are no place for personal data either.
std::string masked(std::string_view text);

/// @source ISO/IEC 7812-1, annex B
bool passes_luhn(std::string_view digits);
/// @param compact without spaces. @source ISO 13616, modulo 97 and the registry's lengths
bool is_iban(std::string_view compact);

}  // namespace hone::datasets::audit
