#include "datasets/audit/words.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/hash.h"
#include "datasets/audit/script.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

constexpr std::uint64_t kFnvOffset = 0xCBF29CE484222325u;
constexpr std::uint64_t kFnvPrime = 0x100000001B3u;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// A Unicode form of valid UTF-8.
std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* out = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out,
                   static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, &std::free);
  HONE_CHECK(DataError, size >= 0, "a text of {} bytes has no Unicode normal form: {}", text.size(),
             utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

std::string folded(std::string_view text) {
  if (!is_ascii(text))
    return mapped(text, UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return lower;
}

std::uint64_t parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

}  // namespace

ContentKey content_key(std::string_view text) {
  const std::string hex = sha256_hex(text);
  return {parse_hex(std::string_view(hex).substr(0, 16)),
          parse_hex(std::string_view(hex).substr(16, 16))};
}

std::string normalised(std::string_view text) {
  const std::string form = is_ascii(text) ? std::string(text) : mapped(text, UTF8PROC_COMPOSE);
  std::string result;
  result.reserve(form.size());
  bool gap = false;
  for (std::size_t i = 0; i < form.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(form, i);
    if (tokenizer::is_whitespace(c.value)) {
      gap = !result.empty();
    } else {
      if (gap) result += ' ';
      gap = false;
      result.append(form, i, c.size_bytes);
    }
    i += c.size_bytes;
  }
  return result;
}

std::vector<std::uint64_t> word_hashes(std::string_view text) {
  const std::string form = folded(text);
  std::vector<std::uint64_t> words;
  std::uint64_t hash = kFnvOffset;
  const auto end_word = [&] {
    if (hash != kFnvOffset) words.push_back(mix64(hash));
    hash = kFnvOffset;
  };
  for (std::size_t i = 0; i < form.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(form, i);
    i += c.size_bytes;
    const Script script = script_of(c.value);
    const bool alone = is_unspaced(script) && !tokenizer::is_combining_mark(c.value);
    const bool in_word = script != Script::kNone || tokenizer::is_numeric(c.value);
    if (alone || !in_word) end_word();
    if (in_word) hash = (hash ^ c.value) * kFnvPrime;
    if (alone) end_word();
  }
  end_word();
  return words;
}

}  // namespace hone::datasets::audit
