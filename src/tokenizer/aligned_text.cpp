#include "tokenizer/aligned_text.h"

#include "io/utf8.h"

namespace hone::tokenizer {

TextRange AlignedText::source_range(std::size_t begin, std::size_t end) const {
  if (changed_) {
    if (begin < end) return {sources_[begin].begin, sources_[end - 1].end};
    const std::size_t at = begin < sources_.size() ? sources_[begin].begin
                           : sources_.empty()      ? base_
                                                   : sources_.back().end;
    return {at, at};
  }
  if (begin == end) return {base_ + begin, base_ + begin};
  while (begin > 0 && io::is_utf8_continuation(view_[begin])) --begin;
  while (end < view_.size() && io::is_utf8_continuation(view_[end])) ++end;
  return {base_ + begin, base_ + end};
}

void AlignedText::Edit::append(std::string_view text, std::size_t begin, std::size_t end) {
  text_.append(text);
  sources_.resize(text_.size(), target_.source_range(begin, end));
}

void AlignedText::Edit::append(char32_t c, std::size_t begin, std::size_t end) {
  append_utf8(text_, c);
  sources_.resize(text_.size(), target_.source_range(begin, end));
}

void AlignedText::Edit::keep(std::size_t begin, std::size_t end) {
  text_.append(target_.text(), begin, end - begin);
  for (std::size_t i = begin; i < end; ++i) sources_.push_back(target_.source_range(i, i + 1));
}

void AlignedText::Edit::commit() {
  target_.owned_ = std::move(text_);
  target_.sources_ = std::move(sources_);
  target_.changed_ = true;
}

}  // namespace hone::tokenizer
