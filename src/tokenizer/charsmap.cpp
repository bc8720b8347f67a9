#include "tokenizer/charsmap.h"

#include <cstring>

#include "base/error.h"
#include "io/utf8.h"

namespace hone::tokenizer {
namespace {

// A unit of darts-clone's double array.
struct Unit {
  std::uint32_t bits;
  bool has_leaf() const { return (bits >> 8) & 1; }
  std::uint32_t value() const { return bits & 0x7FFFFFFFu; }
  std::uint32_t label() const { return bits & 0x800000FFu; }
  std::uint32_t offset() const { return (bits >> 10) << ((bits & 0x200u) >> 6); }
};

std::string decode_base64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    HONE_CHECK(DataError, digit != std::string_view::npos,
               "the charsmap is not base64: found the byte 0x{:02X}",
               static_cast<unsigned char>(c));
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

}  // namespace

Charsmap Charsmap::from_base64(std::string_view text) { return Charsmap(decode_base64(text)); }

Charsmap::Charsmap(std::string_view blob) {
  std::uint32_t trie_bytes = 0;
  HONE_CHECK(DataError, blob.size() > sizeof trie_bytes,
             "the charsmap has {} bytes, too few for a trie", blob.size());
  std::memcpy(&trie_bytes, blob.data(), sizeof trie_bytes);
  blob.remove_prefix(sizeof trie_bytes);
  HONE_CHECK(DataError,
             trie_bytes > 0 && trie_bytes % sizeof(std::uint32_t) == 0 && trie_bytes < blob.size(),
             "the charsmap says its trie has {} bytes; expected a multiple of 4 below {}",
             trie_bytes, blob.size());
  units_.resize(trie_bytes / sizeof(std::uint32_t));
  std::memcpy(units_.data(), blob.data(), trie_bytes);
  replacements_ = blob.substr(trie_bytes);
  HONE_CHECK(DataError, replacements_.back() == '\0' && !io::first_invalid_utf8(replacements_),
             "the charsmap's replacements are not UTF-8 that ends with a zero byte");
}

std::string_view Charsmap::replacement(std::uint32_t value) const {
  HONE_CHECK(DataError,
             value < replacements_.size() && !io::is_utf8_continuation(replacements_[value]),
             "the tokenizer's charsmap points at byte {} of {} bytes of replacements", value,
             replacements_.size());
  return replacements_.c_str() + value;
}

// Calls `visit(size_bytes, value)` for each sequence that `text` begins with, shortest first, until
// it gives false.
template <class Visit>
void Charsmap::visit_prefixes(std::string_view text, Visit visit) const {
  std::size_t at = Unit{units_[0]}.offset();
  for (std::size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    at ^= byte;
    if (at >= units_.size() || Unit{units_[at]}.label() != byte) return;
    const Unit unit{units_[at]};
    at ^= unit.offset();
    if (at >= units_.size()) return;
    if (unit.has_leaf() && !visit(i + 1, Unit{units_[at]}.value())) return;
  }
}

std::optional<Charsmap::Match> Charsmap::find_shortest(std::string_view text) const {
  std::optional<Match> match;
  visit_prefixes(text, [&](std::size_t size_bytes, std::uint32_t value) {
    match = {size_bytes, replacement(value)};
    return false;
  });
  return match;
}

std::optional<Charsmap::Match> Charsmap::find_longest(std::string_view text) const {
  std::optional<Match> match;
  visit_prefixes(text, [&](std::size_t size_bytes, std::uint32_t value) {
    match = {size_bytes, replacement(value)};
    return true;
  });
  return match;
}

}  // namespace hone::tokenizer
