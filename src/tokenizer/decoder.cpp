#include "tokenizer/decoder.h"

#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "io/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/pattern.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

constexpr const char* kReplacementCharacter = "\xEF\xBF\xBD";

void join_with_spaces(std::vector<std::string>& tokens) {
  for (std::size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(tokens[i].begin(), ' ');
}

void fuse(std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  tokens = {std::move(text)};
}

// A token with a character outside the alphabet (an added token) stands for its own text.
void decode_bytes(std::vector<std::string>& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += letters_to_bytes(token).value_or(token);
  tokens = {replace_invalid_utf8(bytes)};
}

// The byte of a token spelt <0xNN>.
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

// A run of byte tokens is text where it is UTF-8 as a whole; else each byte is unreadable.
void decode_byte_fallback(std::vector<std::string>& tokens) {
  std::vector<std::string> result;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (io::first_invalid_utf8(bytes)) {
      result.insert(result.end(), bytes.size(), kReplacementCharacter);
    } else {
      result.push_back(bytes);
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      bytes.push_back(*byte);
    } else {
      flush();
      result.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(result);
}

Decoder make_replace(const JsonField& field) {
  return [pattern = Pattern(field.at("pattern")),
          content = field.at("content").string()](std::vector<std::string>& tokens) {
    for (std::string& token : tokens) {
      std::string replaced;
      std::size_t done = 0;
      for (const TextRange match : pattern.find_all(token)) {
        replaced.append(token, done, match.begin - done).append(content);
        done = match.end;
      }
      token = replaced.append(token, done);
    }
  };
}

// Takes `content` away up to `start` times at the front and `stop` times at the back of each token.
Decoder make_strip(const JsonField& field) {
  const std::string content = field.at("content").string();
  HONE_CHECK(DataError, !content.empty(), "{}.content is empty", field.place);
  return [content, start = field.integer_or("start", 0),
          stop = field.integer_or("stop", 0)](std::vector<std::string>& tokens) {
    for (std::string& token : tokens) {
      for (std::int64_t i = 0; i < start && token.starts_with(content); ++i) {
        token.erase(0, content.size());
      }
      for (std::int64_t i = 0; i < stop && token.ends_with(content); ++i) {
        token.resize(token.size() - content.size());
      }
    }
  };
}

Decoder make_metaspace(const JsonField& field) {
  const std::string replacement = field.string_or("replacement", "\u2581");
  const bool legacy_prefix = field.boolean_or("add_prefix_space", true);
  const bool has_prefix =
      field.string_or("prepend_scheme", legacy_prefix ? "always" : "never") != "never";
  HONE_CHECK(DataError, !replacement.empty(), "{}.replacement is empty", field.place);
  return [replacement, has_prefix](std::vector<std::string>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const char* space = i == 0 && has_prefix ? "" : " ";
      std::string text;
      std::size_t done = 0;
      for (std::size_t at; (at = tokens[i].find(replacement, done)) != std::string::npos;
           done = at + replacement.size()) {
        text.append(tokens[i], done, at - done).append(space);
      }
      tokens[i] = text.append(tokens[i], done);
    }
  };
}

Decoder make_sequence(const JsonField& list) {
  std::vector<Decoder> steps;
  for (std::size_t i = 0; i < list.size(); ++i) steps.push_back(make_decoder(list.at(i)));
  return [steps = std::move(steps)](std::vector<std::string>& tokens) {
    for (const Decoder& step : steps) step(tokens);
  };
}

}  // namespace

Decoder make_decoder(const JsonField& field) {
  if (!field) return join_with_spaces;
  const std::string type = field.at("type").string();
  if (type == "Sequence") return make_sequence(field.at("decoders"));
  if (type == "ByteLevel") return decode_bytes;
  if (type == "ByteFallback") return decode_byte_fallback;
  if (type == "Fuse") return fuse;
  if (type == "Replace") return make_replace(field);
  if (type == "Strip") return make_strip(field);
  if (type == "Metaspace") return make_metaspace(field);
  throw_unknown_type(
      field, type,
      {"Sequence", "ByteLevel", "ByteFallback", "Fuse", "Replace", "Strip", "Metaspace"});
}

}  // namespace hone::tokenizer
