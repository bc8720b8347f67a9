#include "datasets/preview.h"

#include <fmt/format.h>

#include <span>
#include <string_view>

#include "base/error.h"

namespace hone::datasets {
namespace {

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
std::string text_of(const tokenizer::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                    std::size_t begin, std::size_t end) {
  const std::string before = tokenizer.decode(ids.first(begin));
  const std::string whole = tokenizer.decode(ids.first(end));
  if (whole.starts_with(before)) return whole.substr(before.size());
  return tokenizer.decode(ids.subspan(begin, end - begin));  // the border is inside a character
}

}  // namespace

std::string preview(const Example& example, const tokenizer::Tokenizer& tokenizer, bool colour) {
  HONE_ASSERT(example.ids.size() == example.weights.size() &&
              example.ids.size() == example.responses.size());
  std::string shown;
  for (std::size_t begin = 0, end = 0; begin < example.ids.size(); begin = end) {
    while (end < example.ids.size() && example.is_trained(end) == example.is_trained(begin)) ++end;
    const std::string text = visible(text_of(tokenizer, example.ids, begin, end));
    if (!example.is_trained(begin)) {
      shown += text;
    } else {
      shown += colour ? "\x1b[32m" + text + "\x1b[0m" : "[[" + text + "]]";
    }
  }
  return shown;
}

}  // namespace hone::datasets
