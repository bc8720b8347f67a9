#include "datasets/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/error.h"

namespace hone::datasets {
namespace {

using tokenizer::Tokenizer;

/// Tokens before a stretch that its text can depend on: a character has at most four bytes, each
/// of which may be a token.
constexpr std::size_t kContext = 4;

std::string visible(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      shown += "↵\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

/// What tokens [begin, end) add to the text of those before them. Decoders treat the first token of
/// a text apart (SentencePiece takes off its space), so a run is not simply decoded by itself.
std::string text_of(const Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                    std::size_t begin, std::size_t end) {
  const std::size_t first = begin > kContext ? begin - kContext : 0;
  const std::string before = tokenizer.decode(ids.subspan(first, begin - first));
  const std::string whole = tokenizer.decode(ids.subspan(first, end - first));
  if (whole.starts_with(before)) return whole.substr(before.size());
  return tokenizer.decode(ids.subspan(begin, end - begin));  // the border is inside a character
}

/// How a token is shown; neighbours that are shown alike are one stretch.
struct Look {
  bool is_trained = false, is_stop = false;
  float weight = 0;

  bool operator==(const Look&) const = default;
};

Look look_of(const Example& example, std::size_t t, const PreviewStyle& style) {
  Look look;
  look.is_trained = example.is_trained(t);
  look.is_stop = std::ranges::find(style.stop_ids, example.ids[t]) != style.stop_ids.end();
  if (style.weights && t > 0) look.weight = example.weights[t];
  return look;
}

/// A stretch of text, or a token of it, inside the marks of its kind.
std::string marked(std::string text, const Look& look, const PreviewStyle& style) {
  if (look.is_stop) text = style.colour ? "\x1b[7m" + text + "\x1b[27m" : "«" + text + "»";
  if (look.weight != 0 && look.weight != 1) text = fmt::format("{}×{}", look.weight, text);
  if (look.is_trained) return style.colour ? "\x1b[32m" + text + "\x1b[0m" : "[[" + text + "]]";
  if (look.weight != 0) return style.colour ? "\x1b[33m" + text + "\x1b[0m" : "{{" + text + "}}";
  return text;
}

std::string with_borders(const Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                         std::size_t begin, std::size_t end, bool colour) {
  std::string text;
  for (std::size_t t = begin; t < end; ++t) {
    if (t > 0) text += colour ? "\x1b[2m|\x1b[22m" : "|";
    text += visible(text_of(tokenizer, ids, t, t + 1));
  }
  return text;
}

}  // namespace

std::string preview(const Example& example, const Tokenizer& tokenizer, const PreviewStyle& style) {
  HONE_ASSERT(example.ids.size() == example.weights.size() &&
              example.ids.size() == example.responses.size());
  std::string shown;
  for (std::size_t begin = 0, end = 0; begin < example.ids.size(); begin = end) {
    const Look look = look_of(example, begin, style);
    while (end < example.ids.size() && look_of(example, end, style) == look) ++end;
    std::string text = style.borders
                           ? with_borders(tokenizer, example.ids, begin, end, style.colour)
                           : visible(text_of(tokenizer, example.ids, begin, end));
    shown += marked(std::move(text), look, style);
  }
  return shown;
}

std::string preview_row(const Example& example, const Tokenizer& tokenizer,
                        const PreviewStyle& style) {
  std::string shown;
  for (std::int64_t d = 0; d < example.documents(); ++d) {
    if (d > 0) shown += fmt::format("\n-- document {} --\n", d + 1);
    shown += preview(document_of(example, d), tokenizer, style);
  }
  return shown;
}

std::vector<std::string> token_texts(const Example& example, const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (std::size_t t = 0; t < example.ids.size(); ++t)
    texts.push_back(text_of(tokenizer, example.ids, t, t + 1));
  return texts;
}

}  // namespace hone::datasets
