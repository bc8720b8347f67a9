#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/utf8.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {

/// A piece of the source text together with what normalization made of it: every byte of `text()`
/// knows the source bytes it stands for. As long as nothing was changed it is a view of the source
/// and costs no memory; each byte then stands for the whole code point that it is part of.
class AlignedText {
 public:
  /// @param source the whole source text; must outlive this
  AlignedText(std::string_view source, TextRange range)
      : view_(source.substr(range.begin, range.size())), base_(range.begin) {}

  std::string_view text() const { return changed_ ? std::string_view(owned_) : view_; }
  bool is_changed() const { return changed_; }

  /// Source bytes of bytes [begin, end) of text(); an empty range gives an empty one.
  TextRange source_range(std::size_t begin, std::size_t end) const {
    if (begin == end) return empty_source_range(begin);
    if (changed_) return {sources_[begin].begin, sources_[end - 1].end};
    while (begin > 0 && io::is_utf8_continuation(view_[begin])) --begin;
    while (end < view_.size() && io::is_utf8_continuation(view_[end])) ++end;
    return {base_ + begin, base_ + end};
  }

  /// Bytes [begin, end) of text(), with where they came from.
  AlignedText slice(std::size_t begin, std::size_t end) const;

  /// Builds the changed text piece by piece, then takes its place with `commit`.
  class Edit {
   public:
    explicit Edit(AlignedText& target);
    /// Appends text that stands for bytes [begin, end) of the target's current text.
    void append(std::string_view text, std::size_t begin, std::size_t end);
    void append(char32_t c, std::size_t begin, std::size_t end);
    /// Appends bytes [begin, end) of the current text as they are.
    void keep(std::size_t begin, std::size_t end);
    std::size_t size_bytes() const { return text_.size(); }
    void commit();

   private:
    AlignedText& target_;
    std::string text_;
    std::vector<TextRange> sources_;
  };

 private:
  TextRange empty_source_range(std::size_t at) const;

  std::string_view view_;
  std::size_t base_;
  bool changed_ = false;
  std::string owned_;
  std::vector<TextRange> sources_;  // one for each byte of owned_
};

}  // namespace hone::tokenizer
