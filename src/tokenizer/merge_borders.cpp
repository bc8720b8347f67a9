#include "tokenizer/merge_borders.h"

#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

constexpr std::string_view kWordMark = "\u2581";  // what SentencePiece writes for a space

// Each ASCII character is a kind of its own, so is ▁, and all others together are one.
constexpr std::size_t kWordMarkKind = 0x80, kOtherKind = 0x81, kKinds = 0x82;

std::size_t kind_of_first(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text.front());
  if (byte < 0x80) return byte;
  return text.starts_with(kWordMark) ? kWordMarkKind : kOtherKind;
}

std::size_t kind_of_last(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text.back());
  if (byte < 0x80) return byte;
  return text.ends_with(kWordMark) ? kWordMarkKind : kOtherKind;
}

}  // namespace

MergeBorders::MergeBorders() : is_joined_(kKinds * kKinds) {}

void MergeBorders::join(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return;
  is_joined_[kind_of_last(left) * kKinds + kind_of_first(right)] = true;
}

std::size_t MergeBorders::piece_end(std::string_view text, std::size_t begin) const {
  std::size_t kind = kind_of_first(text.substr(begin));
  std::size_t at = begin + code_point_size(text[begin]);
  while (at < text.size()) {
    const std::size_t next = kind_of_first(text.substr(at));
    if (!is_joined_[kind * kKinds + next]) break;
    kind = next;
    at += code_point_size(text[at]);
  }
  return at;
}

}  // namespace hone::tokenizer
