#include "tokenizer/decoder.h"

#include <algorithm>
#include <array>
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

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t done = 0;
  for (std::size_t at; (at = text.find(from, done)) != std::string_view::npos;
       done = at + from.size()) {
    result.append(text, done, at - done).append(to);
  }
  return result.append(text, done);
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

Decoder make_fuse(const JsonField&) { return fuse; }
Decoder make_byte_level(const JsonField&) { return decode_bytes; }
Decoder make_byte_fallback(const JsonField&) { return decode_byte_fallback; }

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
      tokens[i] = replace_all(tokens[i], replacement, i == 0 && has_prefix ? "" : " ");
    }
  };
}

// The end-of-word suffix becomes a space, but at the end of the text.
Decoder make_bpe(const JsonField& field) {
  const std::string suffix = field.string_or("suffix", "</w>");
  HONE_CHECK(DataError, !suffix.empty(), "{}.suffix is empty", field.place);
  return [suffix](std::vector<std::string>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    }
  };
}

// Takes back what splitting put between words of English; one token at a time, as Hugging Face
// tokenizers do it.
std::string clean_up(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules{
      {{" .", "."},
       {" ?", "?"},
       {" !", "!"},
       {" ,", ","},
       {" ' ", "'"},
       {" n't", "n't"},
       {" 'm", "'m"},
       {" do not", " don't"},
       {" 's", "'s"},
       {" 've", "'ve"},
       {" 're", "'re"}}};
  for (const auto& [from, to] : kRules) text = replace_all(text, from, to);
  return text;
}

Decoder make_word_piece(const JsonField& field) {
  return [prefix = field.string_or("prefix", "##"),
          cleanup = field.boolean_or("cleanup", true)](std::vector<std::string>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0 && token.starts_with(prefix)) {
        token.erase(0, prefix.size());
      } else if (i > 0) {
        token.insert(token.begin(), ' ');
      }
      if (cleanup) token = clean_up(std::move(token));
    }
  };
}

// Connectionist temporal classification: a token that repeats counts once, and padding is silence.
Decoder make_ctc(const JsonField& field) {
  const std::string pad = field.string_or("pad_token", "<pad>");
  const std::string delimiter = field.string_or("word_delimiter_token", "|");
  const bool cleanup = field.boolean_or("cleanup", true);
  HONE_CHECK(DataError, !pad.empty() && !delimiter.empty(),
             "{}: pad_token or word_delimiter_token is empty", field.place);
  return [=](std::vector<std::string>& tokens) {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      token = replace_all(token, pad, "");
      if (cleanup) token = replace_all(clean_up(std::move(token)), delimiter, " ");
    }
    std::erase(tokens, "");
  };
}

Decoder make_sequence(const JsonField& field) {
  const JsonField list = field.at("decoders");
  std::vector<Decoder> steps;
  for (std::size_t i = 0; i < list.array().size(); ++i) steps.push_back(make_decoder(list.at(i)));
  return [steps = std::move(steps)](std::vector<std::string>& tokens) {
    for (const Decoder& step : steps) step(tokens);
  };
}

struct DecoderType {
  std::string_view type;
  Decoder (*make)(const JsonField&);
};

constexpr std::array<DecoderType, 10> kDecoderTypes{{
    {"Sequence", make_sequence},
    {"ByteLevel", make_byte_level},
    {"ByteFallback", make_byte_fallback},
    {"Fuse", make_fuse},
    {"Replace", make_replace},
    {"Strip", make_strip},
    {"Metaspace", make_metaspace},
    {"BPEDecoder", make_bpe},
    {"WordPiece", make_word_piece},
    {"CTC", make_ctc},
}};

}  // namespace

Decoder make_decoder(const JsonField& field) {
  if (!field) return join_with_spaces;
  return find_type(field, kDecoderTypes).make(field);
}

}  // namespace hone::tokenizer
