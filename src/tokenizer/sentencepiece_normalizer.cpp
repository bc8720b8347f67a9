#include "tokenizer/sentencepiece_normalizer.h"

#include <memory>
#include <utility>

#include "tokenizer/charsmap.h"
#include "tokenizer/trie.h"

namespace hone::tokenizer {
namespace {

using Prefix = SentencePieceSpec::Prefix;

struct Rules {
  std::vector<std::string> user_defined;  // what `protected_pieces` points at
  Trie protected_pieces;
  std::optional<Charsmap> charsmap;
  bool remove_extra_whitespaces, whitespace_as_suffix;
  Prefix prefix;
  std::string space;

  explicit Rules(const SentencePieceSpec& spec)
      : remove_extra_whitespaces(spec.remove_extra_whitespaces),
        whitespace_as_suffix(spec.treat_whitespace_as_suffix),
        prefix(spec.prefix),
        space(spec.escape_whitespaces ? kSpaceSymbol : " ") {
    if (!spec.charsmap.empty()) charsmap.emplace(spec.charsmap);
    for (const SentencePiece& piece : spec.pieces) {
      if (piece.type == PieceType::kUserDefined) user_defined.push_back(piece.text);
    }
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    for (const std::string& text : user_defined) keys.emplace_back(text, 0);
    protected_pieces = Trie(std::move(keys));
  }

  // What the beginning of `text` becomes, and how many bytes of it.
  Charsmap::Match match(std::string_view text) const {
    if (const std::size_t size = protected_pieces.longest_prefix(text)) {
      return {size, text.substr(0, size)};
    }
    if (charsmap) {
      if (const auto rule = charsmap->find_longest(text)) return *rule;
    }
    const std::size_t size = code_point_at(text, 0).size_bytes;
    return {size, text.substr(0, size)};
  }
};

// The new text, character by character, with the bytes of the old one that each stands for.
struct Output {
  struct Part {
    std::string_view text;
    TextRange source;
  };
  std::vector<Part> parts;
  std::string_view space;

  void add(std::string_view text, TextRange source) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t size = code_point_at(text, i).size_bytes;
      const std::string_view character = text.substr(i, size);
      parts.push_back({character == " " ? space : character, source});
      i += size;
    }
  }

  void drop_trailing_spaces() {
    while (!parts.empty() && parts.back().text == space) parts.pop_back();
  }
};

// The rules' result without the space before (or after) the text.
void rewrite(const Rules& rules, std::string_view text, Output& output) {
  bool after_space = rules.remove_extra_whitespaces;
  for (std::size_t at = 0; at < text.size();) {
    auto [size_bytes, replacement] = rules.match(text.substr(at));
    while (after_space && replacement.starts_with(' ')) replacement.remove_prefix(1);
    output.add(replacement, {at, at + size_bytes});
    if (!replacement.empty()) {
      after_space = rules.remove_extra_whitespaces && replacement.ends_with(' ');
    }
    at += size_bytes;
  }
  if (rules.remove_extra_whitespaces) output.drop_trailing_spaces();
}

void normalize(const Rules& rules, AlignedText& text) {
  const std::string_view before = text.text();
  Output output{{}, rules.space};
  rewrite(rules, before, output);
  const bool is_first = text.source_range(0, 0).begin == 0;
  const bool adds_space =
      rules.prefix == Prefix::kAlways || (rules.prefix == Prefix::kFirst && is_first);
  // Text that is nothing but superfluous spaces stays empty.
  if (adds_space && !output.parts.empty()) {
    const bool at_end = rules.whitespace_as_suffix;
    const TextRange source = at_end ? output.parts.back().source : output.parts.front().source;
    output.parts.insert(at_end ? output.parts.end() : output.parts.begin(), {output.space, source});
  }
  AlignedText::Edit edit(text);
  for (const auto& [part, source] : output.parts) edit.append(part, source.begin, source.end);
  edit.commit();
}

}  // namespace

Normalizer make_sentencepiece_normalizer(const SentencePieceSpec& spec) {
  return
      [rules = std::make_shared<const Rules>(spec)](AlignedText& text) { normalize(*rules, text); };
}

}  // namespace hone::tokenizer
