#include "tokenizer/aligned_text.h"

namespace hone::tokenizer {

TextRange AlignedText::empty_source_range(std::size_t at) const {
  if (!changed_) return {base_ + at, base_ + at};
  const std::size_t source = at < sources_.size() ? sources_[at].begin
                             : sources_.empty()   ? base_
                                                  : sources_.back().end;
  return {source, source};
}

AlignedText AlignedText::slice(std::size_t begin, std::size_t end) const {
  AlignedText part(view_, {0, 0});
  part.changed_ = changed_;
  if (changed_) {
    part.base_ = base_;
    part.owned_ = owned_.substr(begin, end - begin);
    part.sources_.assign(sources_.begin() + static_cast<std::ptrdiff_t>(begin),
                         sources_.begin() + static_cast<std::ptrdiff_t>(end));
  } else {
    part.base_ = base_ + begin;
    part.view_ = view_.substr(begin, end - begin);
  }
  return part;
}

AlignedText::Edit::Edit(AlignedText& target) : target_(target) {
  const std::size_t expected_bytes = target.text().size() * 3 / 2;
  text_.reserve(expected_bytes);
  sources_.reserve(expected_bytes);
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
  if (target_.changed_) {
    sources_.insert(sources_.end(), target_.sources_.begin() + static_cast<std::ptrdiff_t>(begin),
                    target_.sources_.begin() + static_cast<std::ptrdiff_t>(end));
  } else {
    for (std::size_t i = begin; i < end; ++i) sources_.push_back(target_.source_range(i, i + 1));
  }
}

void AlignedText::Edit::commit() {
  target_.owned_ = std::move(text_);
  target_.sources_ = std::move(sources_);
  target_.changed_ = true;
}

}  // namespace hone::tokenizer
